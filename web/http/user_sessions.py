"""Sessions after single sign-on: the user, and the workspace that the user works in.

What the groups allow is looked up for every request, so that a change of `OIDC_ROLES` also holds
for sessions that have begun before.
"""

from collections.abc import Sequence
from typing import Any

from access.principal import Principal
from access.roles import Roles, roles_of
from config.roles import role_rules
from config.settings import Settings
from web.http.resources import current_resources
from web.http.sessions import amend, current_session, remember


def remember_user(subject: str, name: str, groups: Sequence[str]) -> Principal | None:
    """Begin the session of a user; None if the user must choose a workspace first."""
    settings = current_resources().settings
    content = {
        "issuer": settings.oidc_issuer,
        "subject": subject,
        "name": name,
        "groups": list(groups),
    }
    roles = _roles(settings, content)
    workspace_id = next(iter(roles)) if len(roles) == 1 else None
    begun = remember(
        "user", {**content, "workspace_id": workspace_id, "has_choice": len(roles) > 1}
    )
    return user_principal(settings, begun.content)


def workspaces_of_session() -> Roles:
    """The workspaces that the current user may choose; empty without the session of a user."""
    found = current_session()
    if found is None or found.kind != "user":
        return {}
    return _roles(current_resources().settings, found.content)


def must_choose() -> bool:
    """Whether the current user may do nothing before choosing a workspace."""
    found = current_session()
    if found is None or found.kind != "user":
        return False
    return found.content["workspace_id"] not in workspaces_of_session()


def choose_workspace(workspace_id: str) -> Principal | None:
    """Work in a workspace from now on; None if the current user may not."""
    if workspace_id not in workspaces_of_session():
        return None
    changed = amend({"workspace_id": workspace_id})
    return user_principal(current_resources().settings, changed.content) if changed else None


def user_principal(settings: Settings, content: dict[str, Any]) -> Principal | None:
    """Who sends the requests of a user's session; None if the user may not, or has not chosen."""
    workspace_id = content["workspace_id"]
    scopes = _roles(settings, content).get(workspace_id)
    if workspace_id is None or not scopes:
        return None
    return Principal(f"user:{content['subject']}", content["name"], scopes, workspace_id)


def _roles(settings: Settings, content: dict[str, Any]) -> Roles:
    if content["issuer"] != settings.oidc_issuer:
        return {}
    return roles_of(role_rules(settings.oidc_roles), content["groups"])
