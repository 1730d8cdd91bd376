"""Deleting all log records that match filters, as a job."""

from collections.abc import Mapping
from typing import Any

from flask import Response
from marshmallow import fields

from storage.query.logs.search import LogFilters
from storage.time_range import EVER
from tasks.jobs import delete
from tasks.jobs.delete import LogDeletion
from web.common.jobs import JobAnswer, accept_job, job_answer
from web.common.time_arguments import end_time, start_time
from web.common.time_range import whole_time_range
from web.http.access import current_principal
from web.http.arguments import described
from web.http.blueprint import ApiBlueprint
from web.http.errors import WrongParameterError
from web.logs.arguments import FilterArguments
from web.logs.view import filters_of


class DeletionArguments(FilterArguments):
    """Which log records to delete: at least one filter, or `all`."""

    start_ns = start_time("Start of the time range. Default: unlimited.")
    end_ns = end_time("End of the time range, inclusive. Default: unlimited.")
    all_ = fields.Boolean(
        data_key="all",
        load_default=False,
        metadata=described(
            "`true`, without any filter: everything in the workspace, or of the "
            "client that the key is bound to."
        ),
    )


def log_deletion_blueprint() -> ApiBlueprint:
    """The route `DELETE /logs`."""
    blueprint = ApiBlueprint("log-deletion", __name__, description="Deleting log records")

    @blueprint.endpoint(
        "/logs",
        JobAnswer,
        takes=DeletionArguments,
        method="DELETE",
        body=True,
        status=202,
        cost="none",
    )
    def delete_logs(arguments: dict[str, Any]) -> Response:
        """Delete all log records that match, as a job.

        Records accepted before this request are deleted for good, stored already or not. Records
        that arrive while the job runs may or may not be deleted.
        """
        deletion = _deletion(arguments)
        workspace_id = deletion.filters.workspace_id
        return job_answer(
            accept_job("delete", workspace_id, delete.arguments(deletion), delete.RECORDS)
        )

    return blueprint


def _deletion(arguments: Mapping[str, Any]) -> LogDeletion:
    filters, time_range = filters_of(arguments), whole_time_range(arguments)
    # The client of the key is not a filter that somebody gave.
    everything = LogFilters(
        workspace_id=filters.workspace_id, client_id=current_principal().client_id
    )
    restricted = filters != everything or time_range != EVER or "client_id" in arguments
    if arguments["all_"] and restricted:
        raise WrongParameterError("all", "Cannot be combined with filters.")
    if not arguments["all_"] and not restricted:
        raise WrongParameterError("all", "Give a filter, or true to delete everything.")
    return LogDeletion(filters, time_range)
