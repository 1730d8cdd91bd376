"""Whose records a request is about, and of when: what the schemas of arguments have in common."""

import marshmallow as ma

from storage.sql import TENANT_ID
from web.arguments import Text, described, time_ms


def _tenant_id(description: str) -> Text:
    rule = ma.validate.Regexp(
        rf"{TENANT_ID.pattern}\Z", error="1-128 of the characters A-Z a-z 0-9 . _ : -"
    )
    return Text(validate=rule, metadata=described(description))


class WorkspaceArguments(ma.Schema):
    """Of which workspace."""

    class Meta:
        """Refuse what is not known, so that a misspelt filter does not find everything."""

        unknown = ma.RAISE

    workspace_id = _tenant_id(
        "Workspace; else the header `x-workspace-id`, else `default`. Both must agree."
    )


class TenantArguments(WorkspaceArguments):
    """Of which workspace and client."""

    client_id = _tenant_id("Client within the workspace.")


class RangeArguments(TenantArguments):
    """Whose, and of when."""

    start_time_ms = time_ms(
        "First millisecond, Unix time. Without it: an hour before `end_time_ms`."
    )
    end_time_ms = time_ms("Last millisecond, included. Without it: now.")
