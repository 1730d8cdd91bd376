"""Workspace, client and time range: the arguments that requests have in common."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import request

from storage.clickhouse.sql import TENANT_ID
from web.common.time_arguments import end_time, start_time
from web.http.access import DEFAULT_WORKSPACE, current_principal
from web.http.arguments import Text, described
from web.http.errors import WrongParameterError
from web.http.names import UNKNOWN, wrong_names

NO_TENANT = "Must be 1 to 128 characters from A-Z a-z 0-9 . _ : -"


Arguments = Mapping[str, Any]
"""Checked arguments by name."""


def _tenant_id(description: str) -> Text:
    rule = ma.validate.Regexp(rf"{TENANT_ID.pattern}\Z", error=NO_TENANT)
    return Text(validate=rule, metadata=described(description))


class StrictArguments(ma.Schema):
    """Arguments that are all known."""

    class Meta:
        """Refuse unknown parameters, so that a misspelt filter does not match everything."""

        unknown = ma.RAISE

    error_messages = {"unknown": UNKNOWN}  # noqa: RUF012 - marshmallow's

    def handle_error(self, error: ma.ValidationError, data: object, **_: object) -> None:
        """Suggest names for unknown parameters, and report repeated ones."""
        if isinstance(error.messages, dict):
            wrong_names(self, error.messages, data)


class WorkspaceArguments(StrictArguments):
    """The workspace."""

    workspace_id = _tenant_id(
        "Workspace. Default: the header `x-workspace-id`, else `default`. If both are given, they "
        "must match."
    )


class TenantArguments(WorkspaceArguments):
    """Workspace and client."""

    client_id = _tenant_id("Client within the workspace.")


class RangeArguments(TenantArguments):
    """Workspace, client and time range."""

    start_ns = start_time("Start of the time range. Default: an hour before `end_time_ms`.")
    end_ns = end_time("End of the time range, inclusive. Default: now.")


def workspace_of(arguments: Arguments) -> str:
    """The workspace of a request: as :func:`named_workspace`, else `default`. Raises the same."""
    return named_workspace(arguments) or DEFAULT_WORKSPACE


def named_workspace(arguments: Arguments) -> str:
    """The workspace that a request names: parameter, else header, else the key's; empty: none.

    Raises:
        WrongParameterError: the header is malformed, or contradicts the parameter.
        NotAllowedError: the key is bound to another workspace.
    """
    named: str = arguments.get("workspace_id", "")
    header = request.headers.get("X-Workspace-Id", "")
    if header and not TENANT_ID.fullmatch(header):
        raise WrongParameterError("x-workspace-id", NO_TENANT)
    if named and header and named != header:
        raise WrongParameterError("workspace_id", "Conflicts with the header x-workspace-id.")
    field = "workspace_id" if named else "x-workspace-id"
    return current_principal().workspace(named or header, field)


def client_of(arguments: Arguments) -> str:
    """The client of a request, within its workspace: parameter, else the key's; empty: all.

    Raises:
        NotAllowedError: the key is bound to another client.
    """
    return current_principal().client(arguments.get("client_id", ""), "client_id")
