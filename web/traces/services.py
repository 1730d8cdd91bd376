"""Services: rate, errors and latency of their requests."""

from typing import Any

import marshmallow as ma
from flask import Response
from marshmallow import fields

from config.units import NS_PER_S
from storage.query.traces.services import Requests, ServiceFigures, service_figures
from storage.time_range import TimeRange
from web.common.formats import computed, milliseconds, range_answer, share, text_of
from web.common.time_arguments import MAX_BUCKETS
from web.common.time_range import time_range_of
from web.http.answers import about_request, answer
from web.http.arguments import Whole, described, described_like
from web.http.blueprint import ApiBlueprint
from web.http.resources import current_resources
from web.http.schemas import Answer
from web.traces.arguments import SpanArguments
from web.traces.query import span_filters

MOST_SERVICES = 1000


class ServiceFiguresArguments(SpanArguments):
    """Which spans, how many services, and how finely over time."""

    limit = Whole(
        1,
        MOST_SERVICES,
        load_default=100,
        metadata=described("Maximum number of services, those with the most requests first."),
    )
    buckets = Whole(
        1,
        MAX_BUCKETS,
        load_default=30,
        metadata=described_like("Maximum number of buckets. Their length is a round number.", 30),
    )


class RequestsSchema(ma.Schema):
    """Requests of a service.

    A span is a request of its service if its kind is `server` or `consumer`, or if it has no
    parent. Percentiles are exact, and interpolated between the nearest two.
    """

    span_count = fields.Integer(required=True, metadata=described("All spans."))
    request_count = fields.Integer(required=True, metadata={"example": 1200})
    error_count = fields.Integer(
        required=True, metadata=described_like("Requests whose status is `error`.", 3)
    )
    error_share = fields.Float(
        required=True, metadata=described_like("Of the requests, 0 to 1.", 0.0025)
    )
    p50_ms = fields.Float(
        required=True, allow_none=True, metadata=described("Null without requests.")
    )
    p95_ms = fields.Float(required=True, allow_none=True, metadata={"example": 61.5})
    p99_ms = fields.Float(required=True, allow_none=True, metadata={"example": 180.0})


class RequestsBucketSchema(RequestsSchema):
    """Requests that start within `interval_ms`."""

    start_ms = fields.Integer(required=True, metadata={"example": 1_784_000_000_000})


class ServiceFiguresSchema(RequestsSchema):
    """A service."""

    service_name = fields.String(required=True, metadata={"example": "checkout"})
    requests_per_second = fields.Float(
        required=True, metadata=described_like("Over the whole time range.", 0.333333)
    )
    over_time = fields.List(
        fields.Nested(RequestsBucketSchema),
        required=True,
        metadata=described("In order, without empty ones."),
    )


class ServiceFiguresAnswer(Answer):
    """Services, those with the most requests first."""

    services = fields.List(fields.Nested(ServiceFiguresSchema), required=True)
    has_more = fields.Boolean(required=True)
    start_time_ms = fields.Integer(required=True)
    end_time_ms = fields.Integer(required=True)
    interval_ms = fields.Integer(required=True, metadata={"example": 120_000})


def services_blueprint() -> ApiBlueprint:
    """The route `/services`."""
    blueprint = ApiBlueprint("services", __name__, description="Services")

    @blueprint.endpoint("/services", ServiceFiguresAnswer, takes=ServiceFiguresArguments)
    def services(arguments: dict[str, Any]) -> Response:
        """List services with rate, errors and latency of their requests, also over time."""
        resources, limit = current_resources(), arguments["limit"]
        filters, time_range = span_filters(arguments), time_range_of(arguments)
        found, interval_ms = service_figures(
            resources.clickhouse, resources.settings, filters, time_range, arguments["buckets"]
        )
        return answer(
            {
                "services": [_service(each, time_range) for each in found[:limit]],
                "has_more": len(found) > limit,
                **range_answer(time_range),
                "interval_ms": interval_ms,
                **about_request(),
            }
        )

    return blueprint


def _service(each: ServiceFigures, within: TimeRange) -> dict[str, Any]:
    seconds = (within.last_ns + 1 - within.first_ns) / NS_PER_S
    return {
        "service_name": text_of(each.service),
        "requests_per_second": computed(each.whole.request_count / seconds),
        **_requests(each.whole),
        "over_time": [
            {"start_ms": start, **_requests(requests)} for start, requests in each.over_time.items()
        ],
    }


def _requests(requests: Requests) -> dict[str, Any]:
    return {
        "span_count": requests.span_count,
        "request_count": requests.request_count,
        "error_count": requests.error_count,
        "error_share": share(requests.error_count, requests.request_count),
        "p50_ms": _ms(requests.p50_ns),
        "p95_ms": _ms(requests.p95_ns),
        "p99_ms": _ms(requests.p99_ns),
    }


def _ms(nanoseconds: float | None) -> float | None:
    return None if nanoseconds is None else milliseconds(nanoseconds)
