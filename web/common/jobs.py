"""Jobs in the API: creating, finding and returning them."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response, abort, request, url_for
from marshmallow import fields

from tasks.jobs.job import KINDS, STATES, Job, KindName, new_order, summary
from web.common.job_arguments import request_parameters
from web.common.tenancy import workspace_of
from web.http.answers import about_request, answer
from web.http.arguments import described, described_like
from web.http.resources import current_resources
from web.http.schemas import Answer

NO_SUCH_JOB = {404: "The workspace has no such job"}
_EXAMPLE_ID = "5f2f0c7c7e1d4b0f9d6f3d0a9b1c2e3f"


class JobSchema(ma.Schema):
    """A job and its progress."""

    id = fields.String(required=True, metadata={"example": _EXAMPLE_ID})
    kind = fields.String(required=True, metadata={"enum": list(KINDS), "example": "delete"})
    state = fields.String(required=True, metadata={"enum": list(STATES), "example": "running"})
    arguments = fields.Dict(required=True, metadata=described("Parameters of the request."))
    done = fields.Integer(required=True, metadata={"example": 1200})
    total = fields.Integer(
        required=True,
        allow_none=True,
        metadata=described_like("Null until known.", 5000),
    )
    unit = fields.String(
        required=True,
        metadata=described_like("What `done` and `total` count.", "log records"),
    )
    cancel_asked = fields.Boolean(required=True)
    asked_by = fields.String(
        required=True, metadata=described_like("Address of the client.", "10.0.0.7")
    )
    created_ms = fields.Integer(required=True)
    started_ms = fields.Integer(required=True, allow_none=True)
    finished_ms = fields.Integer(required=True, allow_none=True)
    result = fields.Dict(
        required=True,
        allow_none=True,
        metadata=described_like("Result of a job that is done.", {"deleted": 5000}),
    )
    error = fields.String(required=True, metadata=described("Why the job failed, else empty."))


class JobAnswer(Answer):
    """One job."""

    job = fields.Nested(JobSchema, required=True)


def accept_job(kind: KindName, workspace_id: str, arguments: dict[str, Any], unit: str) -> Job:
    """Create a job for the current request, and wake a worker for it."""
    resources = current_resources()
    asked_by = request.remote_addr or "unknown"
    job = resources.jobs.add(new_order(kind, workspace_id, arguments, unit=unit, asked_by=asked_by))
    resources.wake()
    return job


def job_answer(job: Job, status: int = 202, **more: object) -> Response:
    """An answer with a job, and with the job's URL in `Location`."""
    response = answer({"job": job_view(job), **more, **about_request()}, status)
    response.headers["Location"] = url_for("jobs.job", job_id=job.order.id)
    return response


def job_view(job: Job) -> dict[str, Any]:
    """A job as the API returns it."""
    return summary(job) | {"arguments": request_parameters(job.order)}


def found_job(arguments: Mapping[str, Any], job_id: str) -> Job:
    """The job with this id in the request's workspace. Aborts with 404 if there is none."""
    workspace_id = workspace_of(arguments)
    job = current_resources().jobs.one(workspace_id, job_id)
    if job is None:
        abort(404, f"Workspace {workspace_id} has no job with this id.")
    return job
