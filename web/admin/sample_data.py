"""Sample data for a workspace that has no records yet."""

from typing import Any

from flask import Response, abort
from marshmallow import fields

from storage.query.presence import has_records
from tasks.jobs import sample
from tasks.jobs.book import JobFilters
from web.common.jobs import JobAnswer, accept_job, job_answer
from web.common.tenancy import Arguments, WorkspaceArguments, workspace_of
from web.http.arguments import described
from web.http.blueprint import ApiBlueprint
from web.http.resources import current_resources


class SampleArguments(WorkspaceArguments):
    """Where to put sample data."""

    force = fields.Boolean(
        load_default=False,
        metadata=described("Add it to a workspace that already has records."),
    )


def sample_data_blueprint() -> ApiBlueprint:
    """The route `/sample-data`."""
    blueprint = ApiBlueprint("sample-data", __name__, description="Sample data")

    @blueprint.endpoint(
        "/sample-data",
        JobAnswer,
        takes=SampleArguments,
        method="POST",
        status=202,
        otherwise={409: "The workspace already has records, or sample data is being loaded"},
        cost="light",
        scope="ingest",
    )
    def load_sample_data(arguments: dict[str, Any]) -> Response:
        """Load an hour of log records, spans and metrics of a small shop, as a job.

        In its last ten minutes, something goes wrong.
        """
        return _load(arguments)

    return blueprint


def _load(arguments: Arguments) -> Response:
    resources, workspace_id = current_resources(), workspace_of(arguments)
    if _is_loading(workspace_id):
        abort(409, f"Sample data is being loaded into workspace {workspace_id}. See /jobs.")
    if not arguments["force"] and has_records(
        resources.clickhouse, resources.settings, workspace_id
    ):
        abort(
            409,
            f"Workspace {workspace_id} already has records. Choose another, or add sample data to "
            "it with `force`.",
        )
    return job_answer(accept_job("sample", workspace_id, {}, sample.UNIT))


def _is_loading(workspace_id: str) -> bool:
    book = current_resources().jobs
    filters = (JobFilters("sample", state) for state in ("queued", "running"))
    return any(book.page(workspace_id, each, 1).jobs for each in filters)
