"""Exports that a worker writes to a file, for download when they are done."""

from typing import Any

from flask import Response, abort, send_file

from tasks.jobs import export
from tasks.jobs.job import Job
from web.common.jobs import NO_SUCH_JOB, JobAnswer, accept_job, found_job, job_answer
from web.common.tenancy import WorkspaceArguments, workspace_of
from web.http.blueprint import ApiBlueprint
from web.http.resources import current_resources
from web.logs.exploration_schemas import FILE_TYPES, ExportArguments
from web.logs.export import DOCUMENTED, export_query


def export_jobs_blueprint() -> ApiBlueprint:
    """The routes `/jobs/export` and `/jobs/{id}/result`."""
    blueprint = ApiBlueprint("export-jobs", __name__, description="Export jobs")

    @blueprint.endpoint(
        "/export",
        JobAnswer,
        takes=ExportArguments,
        method="POST",
        status=202,
        cost="none",
        scope="read",
        audited=True,
    )
    def export_logs(arguments: dict[str, Any]) -> Response:
        """Export all records of a search to a file, as a job."""
        order = export.arguments(export_query(arguments))
        return job_answer(accept_job("export", workspace_of(arguments), order, export.UNIT))

    @blueprint.endpoint(
        "/<job_id>/result",
        FILE_TYPES["ndjson"],
        takes=WorkspaceArguments,
        otherwise={**NO_SUCH_JOB, 409: "The job has no file, or not yet"},
        cost="none",
    )
    @blueprint.doc(responses=DOCUMENTED)  # type: ignore[untyped-decorator] # ships no types
    def result(arguments: dict[str, Any], job_id: str) -> Response:
        """Download the file that an export job has written."""
        return _file(found_job(arguments, job_id))

    return blueprint


def _file(job: Job) -> Response:
    path = export.exported_file(current_resources().settings, job)
    if path is None:
        abort(409, f"The job has no file: it is {job.state}.")
    form = path.suffix.removeprefix(".")
    return send_file(
        path.absolute(),
        FILE_TYPES[form],
        as_attachment=True,
        download_name=f"logs-{job.order.id[:8]}.{form}",
    )
