"""Workspace, client and time range: the arguments that requests have in common."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import request

from storage.clickhouse.sql import TENANT_ID
from web.common.time_arguments import end_time, start_time
from web.http.arguments import Text, described
from web.http.errors import WrongParameterError
from web.http.names import UNKNOWN, wrong_names

DEFAULT_WORKSPACE = "default"

NO_TENANT = "Must be 1 to 128 characters from A-Z a-z 0-9 . _ : -"


Arguments = Mapping[str, Any]
"""Checked arguments by name."""


def _tenant_id(description: str) -> Text:
    rule = ma.validate.Regexp(rf"{TENANT_ID.pattern}\Z", error=NO_TENANT)
    return Text(validate=rule, metadata=described(description))


class WorkspaceArguments(ma.Schema):
    """The workspace."""

    class Meta:
        """Refuse unknown parameters, so that a misspelt filter does not match everything."""

        unknown = ma.RAISE

    error_messages = {"unknown": UNKNOWN}  # noqa: RUF012 - marshmallow's

    workspace_id = _tenant_id(
        "Workspace. Default: the header `x-workspace-id`, else `default`. If both are given, they "
        "must match."
    )

    def handle_error(self, error: ma.ValidationError, data: object, **_: object) -> None:
        """Suggest names for unknown parameters, and report repeated ones."""
        if isinstance(error.messages, dict):
            wrong_names(self, error.messages, data)


class TenantArguments(WorkspaceArguments):
    """Workspace and client."""

    client_id = _tenant_id("Client within the workspace.")


class RangeArguments(TenantArguments):
    """Workspace, client and time range."""

    start_ns = start_time("Start of the time range. Default: an hour before `end_time_ms`.")
    end_ns = end_time("End of the time range, inclusive. Default: now.")


def workspace_of(arguments: Arguments) -> str:
    """The workspace that a request reads from: parameter, else header, else `default`.

    Raises:
        WrongParameterError: the header is malformed, or contradicts the parameter.
    """
    named: str = arguments.get("workspace_id", "")
    header = request.headers.get("X-Workspace-Id", "")
    if header and not TENANT_ID.fullmatch(header):
        raise WrongParameterError("x-workspace-id", NO_TENANT)
    if named and header and named != header:
        raise WrongParameterError("workspace_id", "Conflicts with the header x-workspace-id.")
    return named or header or DEFAULT_WORKSPACE
