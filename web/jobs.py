"""Jobs: long work that was asked for, to watch, to cancel, and to fetch the results of."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response, abort, request, send_file, url_for
from marshmallow import fields, validate

from tasks.jobs import export, replay
from tasks.jobs.book import JobFilters, Place
from tasks.jobs.job import KINDS, STATES, Job, Kind, new_order, summary
from web.answers import answer
from web.arguments import Whole, described, described_like
from web.blueprint import ApiBlueprint
from web.dead_letter_schemas import DeadLetterFilters
from web.dead_letters import filters_of_dead_letters
from web.exploration_schemas import FILE_TYPES, ExportArguments
from web.export import DOCUMENTED, export_query
from web.job_arguments import asked
from web.log_query import about_request, workspace_of
from web.schemas import Answer
from web.services import services
from web.tenant_arguments import WorkspaceArguments

_GONE = {404: "The workspace has no such job"}
_EXAMPLE_ID = "5f2f0c7c7e1d4b0f9d6f3d0a9b1c2e3f"


class ListArguments(WorkspaceArguments):
    """Which jobs, and which page of them."""

    kind = fields.String(validate=validate.OneOf(KINDS), metadata=described("Of this kind."))
    state = fields.String(validate=validate.OneOf(STATES), metadata=described("In this state."))
    limit = Whole(1, 1000, load_default=100, metadata=described("Most jobs in the answer."))
    cursor = fields.String(
        validate=validate.Regexp(r"[0-9]{1,15}-[0-9a-f]{32}\Z"),
        metadata=described("`next_cursor` of the page before."),
    )


class JobView(ma.Schema):
    """A job and how far it is."""

    id = fields.String(required=True, metadata={"example": _EXAMPLE_ID})
    kind = fields.String(required=True, metadata={"enum": list(KINDS), "example": "delete"})
    state = fields.String(required=True, metadata={"enum": list(STATES), "example": "running"})
    arguments = fields.Dict(required=True, metadata=described("What was asked for, as parameters."))
    done = fields.Integer(required=True, metadata={"example": 1200})
    total = fields.Integer(
        required=True,
        allow_none=True,
        metadata=described_like("Null until it is known.", 5000),
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
        metadata=described_like("Of a job that is done.", {"deleted": 5000}),
    )
    error = fields.String(required=True, metadata=described("Why it failed; empty if not."))


class JobsAnswer(Answer):
    """A page of jobs, newest first."""

    jobs = fields.List(fields.Nested(JobView), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class JobAnswer(Answer):
    """One job."""

    job = fields.Nested(JobView, required=True)


def accept_job(kind: Kind, workspace_id: str, arguments: dict[str, Any], unit: str) -> Job:
    """Take an order of the current request in and wake a worker for it."""
    own = services()
    asked_by = request.remote_addr or "unknown"
    job = own.jobs.add(new_order(kind, workspace_id, arguments, unit=unit, asked_by=asked_by))
    own.wake()
    return job


def job_answer(job: Job, status: int = 202, **more: object) -> Response:
    """The answer that carries a job, and says where to watch it."""
    response = answer({"job": _view(job), **more, **about_request()}, status)
    response.headers["Location"] = url_for("jobs.job", job_id=job.order.id)
    return response


def _view(job: Job) -> dict[str, Any]:
    return summary(job) | {"arguments": asked(job.order)}


def jobs_blueprint() -> ApiBlueprint:
    """The routes below `/jobs`."""
    blueprint = ApiBlueprint("jobs", __name__, description="Long work that was asked for")

    @blueprint.endpoint("", JobsAnswer, takes=ListArguments)
    def jobs(arguments: dict[str, Any]) -> Response:
        """Jobs of a workspace, newest first."""
        return _list(arguments)

    @blueprint.endpoint("/<job_id>", JobAnswer, takes=WorkspaceArguments, otherwise=_GONE)
    def job(arguments: dict[str, Any], job_id: str) -> Response:
        """One job and how far it is."""
        return job_answer(_found(arguments, job_id), 200)

    @blueprint.endpoint(
        "/<job_id>/cancel",
        JobAnswer,
        takes=WorkspaceArguments,
        method="POST",
        otherwise={**_GONE, 409: "It is finished already"},
    )
    def cancel(arguments: dict[str, Any], job_id: str) -> Response:
        """Ask for the end of a job; it ends after its current step, what is done stays done."""
        if not services().jobs.cancel(_found(arguments, job_id)):
            abort(409, "The job is finished already.")
        return job_answer(_found(arguments, job_id), 200)

    _exports(blueprint)

    @blueprint.endpoint("/replay", JobAnswer, takes=DeadLetterFilters, method="POST", status=202)
    def replay_dead_letters(arguments: dict[str, Any]) -> Response:
        """Replay all dead letters that match, as a job."""
        filters = filters_of_dead_letters(arguments)
        order = replay.arguments(filters)
        return job_answer(accept_job("replay", filters.workspace_id, order, replay.UNIT))

    return blueprint


def _exports(blueprint: ApiBlueprint) -> None:
    @blueprint.endpoint("/export", JobAnswer, takes=ExportArguments, method="POST", status=202)
    def export_logs(arguments: dict[str, Any]) -> Response:
        """Write all records of a search into a file, as a job."""
        order = export.arguments(export_query(arguments))
        return job_answer(accept_job("export", workspace_of(arguments), order, export.UNIT))

    @blueprint.endpoint(
        "/<job_id>/result",
        FILE_TYPES["ndjson"],
        takes=WorkspaceArguments,
        otherwise={**_GONE, 409: "It has no file, or not yet"},
    )
    @blueprint.doc(responses=DOCUMENTED)  # type: ignore[untyped-decorator] # ships no types
    def result(arguments: dict[str, Any], job_id: str) -> Response:
        """The file that an export has written."""
        return _file(_found(arguments, job_id))


def _file(job: Job) -> Response:
    path = export.exported_file(services().settings, job)
    if path is None:
        abort(409, f"The job has no file: it is {job.state}.")
    form = path.suffix.removeprefix(".")
    return send_file(
        path.absolute(),
        FILE_TYPES[form],
        as_attachment=True,
        download_name=f"logs-{job.order.id[:8]}.{form}",
    )


def _list(arguments: Mapping[str, Any]) -> Response:
    filters = JobFilters(arguments.get("kind", ""), arguments.get("state", ""))
    after = _place(arguments.get("cursor", ""))
    page = services().jobs.page(workspace_of(arguments), filters, arguments["limit"], after)
    return answer(
        {
            "jobs": [_view(job) for job in page.jobs],
            "next_cursor": f"{page.after.created_ms}-{page.after.id}" if page.after else None,
            **about_request(),
        }
    )


def _place(cursor: str) -> Place | None:
    if not cursor:
        return None
    created_ms, _, job_id = cursor.partition("-")
    return Place(int(created_ms), job_id)


def _found(arguments: Mapping[str, Any], job_id: str) -> Job:
    workspace_id = workspace_of(arguments)
    job = services().jobs.one(workspace_id, job_id)
    if job is None:
        abort(404, f"Workspace {workspace_id} has no job with this id.")
    return job
