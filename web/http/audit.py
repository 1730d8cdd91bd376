"""Recording what a request does in the audit log, before it is done."""

from collections.abc import Callable, Mapping
from functools import update_wrapper
from typing import Any

from flask import Response, request

from web.http.access import DEFAULT_WORKSPACE, current_principal
from web.http.resources import current_resources

_OF_ALL = frozenset({"keys"})
"""Groups of endpoints that concern all workspaces if none is named."""


def recorded(view: Callable[..., Response], group: str) -> Callable[..., Response]:
    """The view, which first records the act as `<group>.<name of the view>`."""

    def act(*parsed: dict[str, Any], **path: str) -> Response:
        arguments: dict[str, Any] = parsed[0] if parsed else {}
        details = {**arguments, **path}
        record(f"{group}.{view.__name__}", _workspace(group, arguments), details)
        return view(*parsed, **path)

    return update_wrapper(act, view)


def record(action: str, workspace_id: str, details: Mapping[str, Any]) -> None:
    """Record an act of the caller's; `workspace_id` is empty if it concerns all.

    Raises:
        AuditError: it could not be recorded, and must not be done.
    """
    address = request.remote_addr or ""
    current_resources().audit.record(current_principal(), action, workspace_id, details, address)


def _workspace(group: str, arguments: Mapping[str, Any]) -> str:
    """The workspace that the act concerns; empty: all."""
    named = arguments.get("workspace_id") or request.headers.get("X-Workspace-Id", "")
    found = current_principal().workspace(named, "workspace_id")
    if arguments.get("everywhere"):
        current_principal().check_everywhere()
        return ""
    return found if found or group in _OF_ALL else DEFAULT_WORKSPACE
