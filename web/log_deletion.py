"""Deleting log records: all that a filter finds, as a job."""

from collections.abc import Mapping
from typing import Any

from flask import Response
from marshmallow import fields

from storage.logs.search import LogFilters
from storage.sql import EVER
from tasks.jobs import delete
from tasks.jobs.delete import LogDeletion
from web.arguments import described
from web.blueprint import ApiBlueprint
from web.errors import WrongParameterError
from web.jobs import JobAnswer, accept_job, job_answer
from web.log_arguments import FilterArguments
from web.log_query import filters_of
from web.spans import whole_span
from web.time_arguments import end_time, start_time


class DeletionArguments(FilterArguments):
    """Which log records to delete: at least one filter, or `all`."""

    start_ns = start_time("First instant. Default: from the beginning.")
    end_ns = end_time("Last instant, included. Default: to the end.")
    all_ = fields.Boolean(
        data_key="all",
        load_default=False,
        metadata=described("`true`, without any filter: everything of the workspace."),
    )


def log_deletion_blueprint() -> ApiBlueprint:
    """The route `DELETE /logs`."""
    blueprint = ApiBlueprint("log-deletion", __name__, description="Deleting log records")

    @blueprint.endpoint(
        "/logs", JobAnswer, takes=DeletionArguments, method="DELETE", body=True, status=202
    )
    def delete_logs(arguments: dict[str, Any]) -> Response:
        """Delete all log records that match, as a job.

        Those that were accepted before this request are deleted for good, stored already or not.
        Those that arrive while the job runs may be deleted or not.
        """
        asked = _deletion(arguments)
        workspace_id = asked.filters.workspace_id
        return job_answer(
            accept_job("delete", workspace_id, delete.arguments(asked), delete.RECORDS)
        )

    return blueprint


def _deletion(arguments: Mapping[str, Any]) -> LogDeletion:
    filters, span = filters_of(arguments), whole_span(arguments)
    restricted = filters != LogFilters(workspace_id=filters.workspace_id) or span != EVER
    if arguments["all_"] and restricted:
        raise WrongParameterError("all", "It cannot be combined with filters.")
    if not arguments["all_"] and not restricted:
        raise WrongParameterError("all", "Give a filter, or true to delete everything.")
    return LogDeletion(filters, span)
