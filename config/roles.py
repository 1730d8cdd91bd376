"""Scopes, and which group of the identity provider has which: what `OIDC_ROLES` says."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

Scope = Literal["ingest", "read", "admin"]
"""`ingest`: send records. `read`: query them. `admin`: both, and change or delete things."""

SCOPES: tuple[Scope, ...] = get_args(Scope)

_WORKSPACE = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_EXAMPLE = "Write group=scope or group=scope:workspace, such as sre=admin, payments=read:payments"


@dataclass(frozen=True, slots=True)
class RoleRule:
    """What the members of a group may do.

    Attributes:
        group: its name, as the identity provider sends it.
        scope: what they may do.
        workspace_id: in which workspace; empty: in all.
    """

    group: str
    scope: Scope
    workspace_id: str = ""


@lru_cache(maxsize=8)
def role_rules(text: str) -> tuple[RoleRule, ...]:
    """The rules in a text such as `sre=admin, payments=read:payments`.

    Raises:
        ValueError: a rule is wrong; the text names it and the right form.
    """
    return tuple(_rule(part.strip()) for part in text.split(",") if part.strip())


def _rule(part: str) -> RoleRule:
    # The name of a group may contain "=" and ":", a scope does not.
    group, _, role = part.rpartition("=")
    scope, colon, workspace_id = role.strip().partition(":")
    if not group.strip():
        raise ValueError(f"OIDC_ROLES: {part!r} names no group. {_EXAMPLE}")
    if scope not in SCOPES:
        raise ValueError(f"OIDC_ROLES: {part!r} has no scope of {', '.join(SCOPES)}. {_EXAMPLE}")
    if colon and not _WORKSPACE.fullmatch(workspace_id):
        raise ValueError(
            f"OIDC_ROLES: the workspace of {part!r} must be 1 to 128 characters from "
            "A-Z a-z 0-9 . _ : -"
        )
    return RoleRule(group.strip(), scope, workspace_id)
