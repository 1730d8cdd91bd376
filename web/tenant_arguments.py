"""Whose records a request is about, and of when: what the schemas of arguments have in common."""

import marshmallow as ma

from storage.sql import TENANT_ID
from web.arguments import Text, described
from web.names import UNKNOWN, wrong_names
from web.time_arguments import end_time, start_time

NO_TENANT = "Must be 1 to 128 characters from A-Z a-z 0-9 . _ : -"


def _tenant_id(description: str) -> Text:
    rule = ma.validate.Regexp(rf"{TENANT_ID.pattern}\Z", error=NO_TENANT)
    return Text(validate=rule, metadata=described(description))


class WorkspaceArguments(ma.Schema):
    """Of which workspace."""

    class Meta:
        """Refuse what is not known, so that a misspelt filter does not find everything."""

        unknown = ma.RAISE

    error_messages = {"unknown": UNKNOWN}  # noqa: RUF012 - marshmallow's

    workspace_id = _tenant_id(
        "Workspace; else the header `x-workspace-id`, else `default`. If both are given, they must "
        "match."
    )

    def handle_error(self, error: ma.ValidationError, data: object, **_: object) -> None:
        """Say which parameters are meant by unknown names, and which were repeated."""
        if isinstance(error.messages, dict):
            wrong_names(self, error.messages, data)


class TenantArguments(WorkspaceArguments):
    """Of which workspace and client."""

    client_id = _tenant_id("Client within the workspace.")


class RangeArguments(TenantArguments):
    """Whose, and of when."""

    start_ns = start_time("First instant. Default: an hour before `end_time_ms`.")
    end_ns = end_time("Last instant, included. Default: now.")
