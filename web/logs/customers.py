"""Statistics of a customer's requests."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response, abort
from marshmallow import fields

from storage.query.logs.customers import RequestStats, customer_stats
from web.common.days import FIRST_DAY, Day, today
from web.common.tenancy import WorkspaceArguments, workspace_of
from web.http.answers import about_request, answer
from web.http.arguments import described, described_like
from web.http.blueprint import ApiBlueprint
from web.http.errors import WrongParameterError
from web.http.resources import current_resources
from web.http.schemas import Answer

_MOST_CHARACTERS = 1024


class CustomerArguments(WorkspaceArguments):
    """Which days of a customer."""

    from_date = Day(
        required=True,
        metadata={
            "description": "First day, in UTC: `YYYY-MM-DD`, or a time on it, such as `now-7d`.",
            "format": "date",
            "example": "2024-09-14",
        },
    )
    to_date = Day(
        metadata={
            "description": "Last day, inclusive. Default: today.",
            "format": "date",
            "example": "2024-09-15",
        },
    )


class Requests(ma.Schema):
    """Statistics of requests; latencies in seconds, rounded half up to microseconds."""

    total_requests = fields.Integer(required=True, metadata={"example": 3})
    successful_requests = fields.Integer(
        required=True, metadata=described_like("Status below 400.", 2)
    )
    failed_requests = fields.Integer(
        required=True, metadata=described_like("Status 400 or more.", 1)
    )
    uptime = fields.Float(
        required=True,
        allow_none=True,
        metadata=described_like(
            "Percentage of successful requests, rounded half up to two digits; null without any.",
            66.67,
        ),
    )
    average_latency = fields.Float(
        required=True,
        allow_none=True,
        metadata=described_like("Null if no request has a duration.", 0.524),
    )
    median_latency = fields.Float(
        required=True,
        allow_none=True,
        metadata=described_like("Exact; for an even number, the mean of the middle two.", 0.5),
    )
    p99_latency = fields.Float(
        required=True,
        allow_none=True,
        metadata=described_like("Exact; interpolated between the closest ranks.", 0.76656),
    )


class RequestsOfDay(Requests):
    """The requests of one day."""

    date = fields.String(required=True, metadata=described("The day in UTC, `YYYY-MM-DD`."))


class CustomerAnswer(Answer):
    """A customer's requests, overall and by day."""

    customer_id = fields.String(required=True, metadata={"example": "cust_5"})
    workspace_id = fields.String(required=True)
    from_date = fields.String(required=True, metadata={"example": "2024-09-14"})
    to_date = fields.String(required=True, metadata={"example": "2024-09-15"})
    overall = fields.Nested(Requests, required=True)
    by_day = fields.List(
        fields.Nested(RequestsOfDay),
        required=True,
        metadata=described("In order; only days with requests."),
    )


def customers_blueprint() -> ApiBlueprint:
    """The route `/customers/{id}/stats`."""
    blueprint = ApiBlueprint("customers", __name__, description="Customer statistics")

    @blueprint.endpoint(
        "/customers/<path:customer_id>/stats",
        CustomerAnswer,
        takes=CustomerArguments,
        otherwise={404: "The workspace has no requests of this customer"},
    )
    def stats(arguments: dict[str, Any], customer_id: str) -> Response:
        """Get statistics of a customer's requests, from log records with `customer.id`."""
        return _stats(arguments, customer_id)

    return blueprint


def days_of(arguments: Mapping[str, Any], default: int = 1) -> tuple[dt.date, dt.date]:
    """First and last day in the arguments; without a first one, the last `default` days.

    Raises:
        WrongParameterError: the last day is before the first one.
    """
    last: dt.date = arguments.get("to_date", today())
    first: dt.date = arguments.get("from_date", max(last - dt.timedelta(default - 1), FIRST_DAY))
    if last < first:
        raise WrongParameterError("to_date", f"Must not be before from_date, {first}.")
    return first, last


def _stats(arguments: dict[str, Any], customer_id: str) -> Response:
    if len(customer_id) > _MOST_CHARACTERS:
        raise WrongParameterError("customer_id", f"At most {_MOST_CHARACTERS} characters.")
    workspace_id, days = workspace_of(arguments), days_of(arguments)
    resources = current_resources()
    found = customer_stats(
        resources.clickhouse, resources.settings, workspace_id, customer_id, days
    )
    if found is None:
        abort(404, f"Workspace {workspace_id} has no requests of customer {customer_id}.")
    return answer(
        {
            "customer_id": customer_id,
            "workspace_id": workspace_id,
            "from_date": days[0].isoformat(),
            "to_date": days[1].isoformat(),
            "overall": _requests(found.overall),
            "by_day": [
                {"date": day.isoformat(), **_requests(counted)}
                for day, counted in found.by_day.items()
            ],
            **about_request(),
        }
    )


def _requests(counted: RequestStats) -> dict[str, Any]:
    latencies = {
        "average_latency": counted.average_latency,
        "median_latency": counted.median_latency,
        "p99_latency": counted.p99_latency,
        "uptime": counted.uptime,
    }
    return {
        "total_requests": counted.total,
        "successful_requests": counted.successful,
        "failed_requests": counted.failed,
        **{name: None if value is None else float(value) for name, value in latencies.items()},
    }
