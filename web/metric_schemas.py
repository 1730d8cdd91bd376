"""What the API takes and gives about metrics."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from storage.metrics.kinds import AGGREGATIONS, KINDS
from web.arguments import KEY, NAME, Attributes, Text, Texts, Whole, described
from web.schemas import Answer
from web.tenant_arguments import RangeArguments
from web.time_arguments import interval_parameter

MAX_METRICS = 10_000
MAX_STEP_MS = 366 * 86_400_000
MAX_LABELS = 10


class MetricArguments(RangeArguments):
    """Which data points."""

    service_name = Text(validate=NAME, metadata=described("Name of the service."))


class MetricsArguments(MetricArguments):
    """Which metrics."""

    prefix = Text(validate=NAME, metadata=described("How the metric's name begins."))
    search = Text(
        validate=NAME, metadata=described("Text that the metric's name contains, in either case.")
    )
    limit = Whole(1, MAX_METRICS, load_default=1000, metadata=described("Most metrics."))


class MetricQueryArguments(MetricArguments):
    """What to compute of which metric."""

    metric = Text(
        required=True,
        validate=NAME,
        metadata=described("Name of the metric.") | {"example": "http.server.request.duration"},
    )
    kind = fields.String(
        validate=validate.OneOf(list(KINDS)),
        metadata=described("Needed only if metrics of several kinds have this name."),
    )
    aggregation = fields.String(
        required=True,
        validate=validate.OneOf(list(AGGREGATIONS)),
        metadata=described(
            "What becomes of the data points in a window. `rate` is per second. Which of them a "
            "kind of metric has, and what they mean for it: docs/metrics.md."
        )
        | {"example": "quantile"},
    )
    quantile = fields.Float(
        validate=validate.Range(0, 1),
        metadata=described("Which quantile, 0-1: with `aggregation=quantile`, and only then.")
        | {"example": 0.99},
    )
    by = Texts(
        Text(validate=NAME),
        validate=validate.Length(0, MAX_LABELS),
        load_default=(),
        metadata=described(
            "Attributes: a series for each combination of their values. The data point's own "
            "counts before its resource's. `service` is the service's name."
        )
        | {"example": ["service", "http.route"]},
    )
    attributes = Attributes(
        keys=Text(validate=KEY),
        values=Text(validate=validate.Length(0, 4096)),
        metadata=described(
            "Attributes and their values. The data point's own counts before its resource's."
        ),
    )
    interval = interval_parameter(
        "Width of a window. Default: one that gives at most 120 points. Also `step`.",
        1,
        MAX_STEP_MS,
    )

    @ma.validates_schema
    def _check_quantile(self, arguments: dict[str, Any], **_: object) -> None:
        if ("quantile" in arguments) != (arguments.get("aggregation") == "quantile"):
            raise ma.ValidationError(
                "quantile is required with aggregation=quantile, and with no other.", "quantile"
            )


class Metric(ma.Schema):
    """A metric of one kind."""

    name = fields.String(required=True, metadata={"example": "http.server.request.duration"})
    kind = fields.String(required=True, validate=validate.OneOf(list(KINDS)))
    unit = fields.String(required=True, metadata={"example": "s"})
    description = fields.String(required=True)
    temporalities = fields.List(
        fields.String(),
        required=True,
        metadata=described("`cumulative`, `delta` or both; none of a gauge or a summary.")
        | {"example": ["cumulative"]},
    )
    monotonic = fields.Boolean(
        required=True,
        allow_none=True,
        metadata=described("Whether a sum only ever grows; null of other kinds."),
    )
    services = fields.List(fields.String(), required=True, metadata={"example": ["cart"]})
    attributes = fields.Dict(
        fields.String(),
        fields.List(fields.String()),
        required=True,
        metadata=described("Keys of the data points' attributes, each with some of its values.")
        | {"example": {"http.route": ["/api/items", "/login"]}},
    )
    data_points = fields.Integer(
        required=True, metadata=described("How many, in the time range.") | {"example": 240}
    )
    last_seen = fields.String(
        required=True,
        metadata=described("Time of the newest data point, RFC 3339 in UTC.")
        | {"example": "2026-07-14T03:33:20.123456789Z"},
    )


class MetricsAnswer(Answer):
    """Metrics by name and kind."""

    metrics = fields.List(fields.Nested(Metric), required=True)
    has_more = fields.Boolean(
        required=True, metadata=described("Whether there are more than `limit`.")
    )


class Series(ma.Schema):
    """A combination of labels and its values."""

    labels = fields.Dict(
        fields.String(), fields.String(), required=True, metadata={"example": {"service": "cart"}}
    )
    points = fields.List(
        fields.List(fields.Float(allow_none=True), validate=validate.Length(equal=2)),
        required=True,
        metadata=described(
            "Pairs of a window's start in Unix milliseconds and its value; null where nothing is "
            "known, or what is known is no finite number."
        )
        | {"example": [[1784000000000, 0.25], [1784000060000, None]]},
    )


class MetricQueryAnswer(Answer):
    """Series of a metric, in the order of their labels."""

    metric = fields.String(required=True)
    kind = fields.String(required=True, validate=validate.OneOf(list(KINDS)))
    unit = fields.String(required=True, metadata=described("Of the data points, not of a rate."))
    aggregation = fields.String(required=True, validate=validate.OneOf(list(AGGREGATIONS)))
    interval_ms = fields.Integer(required=True, metadata=described("Width of a window."))
    start_time_ms = fields.Integer(required=True, metadata=described("Start of the first window."))
    end_time_ms = fields.Integer(
        required=True, metadata=described("Last millisecond of the last window.")
    )
    series = fields.List(fields.Nested(Series), required=True)
