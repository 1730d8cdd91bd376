"""Deleting traces by age: a job that the request waits for, up to PATIENCE."""

import time
from collections.abc import Mapping
from typing import Any

from flask import Response
from marshmallow import fields

from config.units import NS_PER_DAY
from tasks.jobs import delete
from tasks.jobs.delete import TraceDeletion
from tasks.jobs.job import Job
from web.common.jobs import JobAnswer, accept_job, job_answer
from web.common.tenancy import WorkspaceArguments, workspace_of
from web.http.arguments import Whole, described, described_like
from web.http.blueprint import ApiBlueprint
from web.http.errors import WrongParameterError
from web.http.resources import current_resources

PATIENCE = 10.0
"""Seconds that a request waits for its job."""

_PAUSE = 0.05
_MOST_DAYS = 36_500


class TraceDeletionArguments(WorkspaceArguments):
    """Which spans to delete."""

    days = Whole(
        0,
        _MOST_DAYS,
        metadata=described_like("Delete spans that started more than this many days ago.", 3),
    )
    force = fields.Boolean(
        load_default=False, metadata=described("`true`: delete all spans, whatever `days`.")
    )


class TraceDeletionAnswer(JobAnswer):
    """What was deleted."""

    deleted = fields.Integer(required=True, metadata=described_like("Spans deleted so far.", 5000))


def trace_deletion_blueprint() -> ApiBlueprint:
    """The route `DELETE /traces`."""
    blueprint = ApiBlueprint("trace-deletion", __name__, description="Deleting traces")

    @blueprint.endpoint(
        "/traces",
        TraceDeletionAnswer,
        takes=TraceDeletionArguments,
        method="DELETE",
        body=True,
        otherwise={202: "Not finished yet: watch the job"},
        cost="none",
    )
    def delete_traces(arguments: dict[str, Any]) -> Response:
        """Delete spans older than some days, or all."""
        job = accept_job(
            "delete",
            workspace_of(arguments),
            delete.arguments(TraceDeletion(_before_ns(arguments))),
            delete.SPANS,
        )
        job = _watched(job)
        return job_answer(job, 200 if job.state == "done" else 202, deleted=job.done)

    return blueprint


def _before_ns(arguments: Mapping[str, Any]) -> int | None:
    if arguments["force"]:
        return None
    if "days" not in arguments:
        raise WrongParameterError("days", "Give a number of days, or `force` to delete all.")
    days: int = arguments["days"]
    return max(0, time.time_ns() - days * NS_PER_DAY)


def _watched(job: Job) -> Job:
    """The job when it is finished, or after PATIENCE."""
    book = current_resources().jobs
    deadline = time.monotonic() + PATIENCE
    while not job.finished and time.monotonic() < deadline:
        time.sleep(_PAUSE)
        job = book.one(job.order.workspace_id, job.order.id) or job
    return job
