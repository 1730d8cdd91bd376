"""Background jobs: watching and cancelling them."""

from collections.abc import Mapping
from typing import Any

from flask import Response, abort
from marshmallow import fields, validate

from tasks.jobs import replay
from tasks.jobs.book import JobFilters, JobPosition
from tasks.jobs.job import KINDS, STATES
from web.admin.dead_letter_schemas import DeadLetterFilters
from web.admin.dead_letters import filters_of_dead_letters
from web.common.cursor import TimeAndId, cursor_of, cursor_parameter, place_of
from web.common.jobs import (
    NO_SUCH_JOB,
    JobAnswer,
    JobSchema,
    accept_job,
    found_job,
    job_answer,
    job_view,
)
from web.common.tenancy import WorkspaceArguments, workspace_of
from web.http.answers import about_request, answer
from web.http.arguments import Whole, described
from web.http.blueprint import ApiBlueprint
from web.http.resources import current_resources
from web.http.schemas import Answer


class JobListArguments(WorkspaceArguments):
    """Which jobs, and which page of them."""

    kind = fields.String(validate=validate.OneOf(KINDS), metadata=described("Kind of the job."))
    state = fields.String(validate=validate.OneOf(STATES), metadata=described("State of the job."))
    limit = Whole(1, 1000, load_default=100, metadata=described("Maximum number of jobs."))
    cursor = cursor_parameter()


class JobsAnswer(Answer):
    """A page of jobs, newest first."""

    jobs = fields.List(fields.Nested(JobSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


def jobs_blueprint() -> ApiBlueprint:
    """The routes below `/jobs`."""
    blueprint = ApiBlueprint("jobs", __name__, description="Background jobs")

    @blueprint.endpoint("", JobsAnswer, takes=JobListArguments, cost="none")
    def jobs(arguments: dict[str, Any]) -> Response:
        """List the jobs of a workspace, newest first."""
        return _list(arguments)

    @blueprint.endpoint(
        "/<job_id>", JobAnswer, takes=WorkspaceArguments, otherwise=NO_SUCH_JOB, cost="none"
    )
    def job(arguments: dict[str, Any], job_id: str) -> Response:
        """Get a job and its progress."""
        return job_answer(found_job(arguments, job_id), 200)

    @blueprint.endpoint(
        "/<job_id>/cancel",
        JobAnswer,
        takes=WorkspaceArguments,
        method="POST",
        otherwise={**NO_SUCH_JOB, 409: "The job has already finished"},
        cost="none",
    )
    def cancel(arguments: dict[str, Any], job_id: str) -> Response:
        """Cancel a job. It ends after its current step; what is done stays done."""
        if not current_resources().jobs.cancel(found_job(arguments, job_id)):
            abort(409, "The job has already finished.")
        return job_answer(found_job(arguments, job_id), 200)

    @blueprint.endpoint(
        "/replay", JobAnswer, takes=DeadLetterFilters, method="POST", status=202, cost="none"
    )
    def replay_dead_letters(arguments: dict[str, Any]) -> Response:
        """Replay all dead letters that match, as a job."""
        filters = filters_of_dead_letters(arguments)
        order = replay.arguments(filters)
        return job_answer(accept_job("replay", filters.workspace_id, order, replay.UNIT))

    return blueprint


def _list(arguments: Mapping[str, Any]) -> Response:
    workspace_id = workspace_of(arguments)
    filters = JobFilters(arguments.get("kind", ""), arguments.get("state", ""))
    query = ("jobs", workspace_id, filters)
    cursor = arguments.get("cursor", "")
    after = place_of(cursor, TimeAndId, *query) if cursor else None
    page = current_resources().jobs.page(
        workspace_id,
        filters,
        arguments["limit"],
        JobPosition(after.at_ms, after.id) if after else None,
    )
    following = TimeAndId(page.after.created_ms, page.after.id) if page.after else None
    return answer(
        {
            "jobs": [job_view(job) for job in page.jobs],
            "next_cursor": cursor_of(following, *query) if following else None,
            **about_request(),
        }
    )
