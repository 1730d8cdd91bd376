"""What the groups of a user allow."""

from collections.abc import Collection, Iterable

from config.roles import RoleRule, Scope

Roles = dict[str, frozenset[Scope]]
"""Scopes by workspace; the empty one stands for all workspaces."""


def roles_of(rules: Iterable[RoleRule], groups: Collection[str]) -> Roles:
    """What a member of `groups` may do, and where.

    In a workspace, all holds that the groups allow there, and that they allow everywhere. A
    workspace where that is no more than everywhere is left out.
    """
    found: dict[str, set[Scope]] = {}
    for rule in rules:
        if rule.group in groups:
            found.setdefault(rule.workspace_id, set()).add(rule.scope)
    everywhere = found.get("", set())
    return {
        workspace_id: frozenset(scopes | everywhere)
        for workspace_id, scopes in sorted(found.items())
        if not workspace_id or _adds(scopes, everywhere)
    }


def _adds(scopes: set[Scope], to: set[Scope]) -> bool:
    return "admin" not in to and not scopes <= to
