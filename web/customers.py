"""How a customer's requests went."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response, abort
from marshmallow import fields

from storage.logs.customers import RequestStats, customer_stats
from web.answers import answer
from web.arguments import Text, described, described_like
from web.blueprint import ApiBlueprint
from web.errors import WrongParameterError
from web.log_query import about_request, workspace_of
from web.schemas import Answer
from web.services import services
from web.tenant_arguments import WorkspaceArguments
from web.times import time_range_of

_MOST_CHARACTERS = 1024
_EPOCH = dt.date(1970, 1, 1)
_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DIGITS_OF_A_DAY = re.compile(r"[0-9]{8}")


class Day(Text):
    """A day in UTC that has begun: `YYYY-MM-DD`, or any time of it."""

    default_error_messages = {  # noqa: RUF012 - marshmallow's
        "day": "Not a valid day. Write YYYY-MM-DD, or a time such as now-7d.",
        "early": "Before 1970-01-01.",
        "future": "In the future; the last day so far is {today}, UTC.",
    }

    def _deserialize(
        self,
        value: object,
        attr: str | None,
        data: Mapping[str, Any] | None,
        **kwargs: Any,  # noqa: ANN401 - marshmallow's
    ) -> Any:  # noqa: ANN401 - a date, which a text field does not promise
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            day = dt.date.fromisoformat(text) if _ISO.fullmatch(text) else _day_of(text)
        except ValueError:
            raise self.make_error("day") from None
        if day < _EPOCH:
            raise self.make_error("early")
        if day > today():
            raise self.make_error("future", today=today().isoformat())
        return day


def _day_of(text: str) -> dt.date:
    """The day of a time in any notation. Raises ValueError."""
    if _DIGITS_OF_A_DAY.fullmatch(text):
        raise ValueError("a date has hyphens")
    return _EPOCH + dt.timedelta(microseconds=time_range_of(text).first_ns // 1000)


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
            "description": "Last day, included. Without it: today.",
            "format": "date",
            "example": "2024-09-15",
        },
    )


class Requests(ma.Schema):
    """Requests and how they went; latencies in seconds, rounded half up to microseconds."""

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
            "Per cent that were successful, rounded half up to two digits; null without requests.",
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
        metadata=described_like("Exact; of an even number, the mean of the middle two.", 0.5),
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
        metadata=described("In order; only days that have requests."),
    )


def customers_blueprint() -> ApiBlueprint:
    """The routes `/customers` and `/customers/{id}/stats`."""
    blueprint = ApiBlueprint("customers", __name__, description="Requests of customers")

    @blueprint.endpoint(
        "/customers/<path:customer_id>/stats",
        CustomerAnswer,
        takes=CustomerArguments,
        otherwise={404: "The workspace has no request of such a customer"},
    )
    def stats(arguments: dict[str, Any], customer_id: str) -> Response:
        """A customer's requests, from log records with the attribute `customer.id`."""
        return _stats(arguments, customer_id)

    return blueprint


def today() -> dt.date:
    """The day that it is in UTC."""
    return dt.datetime.now(dt.UTC).date()


def days_of(arguments: Mapping[str, Any], default: int = 1) -> tuple[dt.date, dt.date]:
    """The first and the last day that the arguments ask for, `default` days if no first one.

    Raises:
        WrongParameterError: the last day is before the first one.
    """
    last: dt.date = arguments.get("to_date", today())
    first: dt.date = arguments.get("from_date", max(last - dt.timedelta(default - 1), _EPOCH))
    if last < first:
        raise WrongParameterError("to_date", f"Must not be before from_date, {first}.")
    return first, last


def _stats(arguments: dict[str, Any], customer_id: str) -> Response:
    if len(customer_id) > _MOST_CHARACTERS:
        raise WrongParameterError("customer_id", f"At most {_MOST_CHARACTERS} characters.")
    workspace_id, days = workspace_of(arguments), days_of(arguments)
    own = services()
    found = customer_stats(own.clickhouse, own.settings, workspace_id, customer_id, days)
    if found is None:
        abort(404, f"Workspace {workspace_id} has no request of customer {customer_id}.")
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
