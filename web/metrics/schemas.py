"""Arguments and answers about metrics."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from storage.query.metrics.exemplars import MAX_EXEMPLARS
from storage.query.metrics.kinds import AGGREGATIONS, KINDS
from web.common.tenancy import RangeArguments
from web.common.time_arguments import interval_parameter
from web.http.arguments import KEY, NAME, Attributes, Text, Texts, Whole, described
from web.http.schemas import Answer

MAX_METRICS = 10_000
MAX_STEP_MS = 366 * 86_400_000
MAX_LABELS = 10
MAX_PER_WINDOW = 100


class MetricArguments(RangeArguments):
    """Which data points."""

    service_name = Text(validate=NAME, metadata=described("Name of the service."))


class MetricsArguments(MetricArguments):
    """Which metrics."""

    prefix = Text(validate=NAME, metadata=described("Prefix of the metric's name."))
    search = Text(
        validate=NAME, metadata=described("Text that the metric's name contains, ignoring case.")
    )
    limit = Whole(
        1, MAX_METRICS, load_default=1000, metadata=described("Maximum number of metrics.")
    )


class MetricPointsArguments(MetricArguments):
    """Which data points of which metric, and in which windows."""

    metric = Text(
        required=True,
        validate=NAME,
        metadata=described("Name of the metric.") | {"example": "http.server.request.duration"},
    )
    kind = fields.String(
        validate=validate.OneOf(list(KINDS)),
        metadata=described("Needed only if metrics of several kinds have this name."),
    )
    attributes = Attributes(
        keys=Text(validate=KEY),
        values=Text(validate=validate.Length(0, 4096)),
        metadata=described(
            "Attributes and their values. The data point's attributes override its resource's."
        ),
    )
    interval = interval_parameter(
        "Width of a window. Default: at most 120 windows. Alias: `step`.",
        1,
        MAX_STEP_MS,
    )


class MetricQueryArguments(MetricPointsArguments):
    """Which metric, and what to compute."""

    aggregation = fields.String(
        required=True,
        validate=validate.OneOf(list(AGGREGATIONS)),
        metadata=described(
            "How to aggregate the data points in a window. `rate` is per second. Each kind of "
            "metric has its own aggregations, see docs/metrics.md."
        )
        | {"example": "quantile"},
    )
    quantile = fields.Float(
        validate=validate.Range(0, 1),
        metadata=described("Quantile, 0 to 1. Only with `aggregation=quantile`, then required.")
        | {"example": 0.99},
    )
    by = Texts(
        Text(validate=NAME),
        validate=validate.Length(0, MAX_LABELS),
        load_default=(),
        metadata=described(
            "Attributes to group by: one series for each combination of values. The data point's "
            "attributes override its resource's. `service` is the name of the service."
        )
        | {"example": ["service", "http.route"]},
    )

    @ma.validates_schema
    def _check_quantile(self, arguments: dict[str, Any], **_: object) -> None:
        if ("quantile" in arguments) != (arguments.get("aggregation") == "quantile"):
            raise ma.ValidationError(
                "quantile is required with aggregation=quantile, else not allowed.", "quantile"
            )


class ExemplarsArguments(MetricPointsArguments):
    """Whose exemplars, and how many."""

    per_window = Whole(
        1,
        MAX_PER_WINDOW,
        load_default=1,
        metadata=described("Maximum per window; those with the highest values are returned."),
    )
    limit = Whole(
        1,
        MAX_EXEMPLARS,
        load_default=MAX_EXEMPLARS,
        metadata=described("Maximum in total; those with the highest values are returned."),
    )


class MetricSchema(ma.Schema):
    """A metric of one kind."""

    name = fields.String(required=True, metadata={"example": "http.server.request.duration"})
    kind = fields.String(required=True, validate=validate.OneOf(list(KINDS)))
    aggregations = fields.List(
        fields.String(validate=validate.OneOf(list(AGGREGATIONS))),
        required=True,
        metadata=described("Those that this kind of metric has."),
    )
    unit = fields.String(required=True, metadata={"example": "s"})
    description = fields.String(required=True)
    temporalities = fields.List(
        fields.String(),
        required=True,
        metadata=described("`cumulative`, `delta` or both; empty for a gauge or a summary.")
        | {"example": ["cumulative"]},
    )
    monotonic = fields.Boolean(
        required=True,
        allow_none=True,
        metadata=described("Whether a sum never decreases; null for other kinds."),
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
        required=True, metadata=described("Number in the time range.") | {"example": 240}
    )
    last_seen = fields.String(
        required=True,
        metadata=described("Time of the newest data point, RFC 3339 in UTC.")
        | {"example": "2026-07-14T03:33:20.123456789Z"},
    )


class MetricsAnswer(Answer):
    """Metrics by name and kind."""

    metrics = fields.List(fields.Nested(MetricSchema), required=True)
    has_more = fields.Boolean(
        required=True, metadata=described("Whether there are more than `limit`.")
    )


class SeriesSchema(ma.Schema):
    """A combination of labels and its values."""

    labels = fields.Dict(
        fields.String(), fields.String(), required=True, metadata={"example": {"service": "cart"}}
    )
    points = fields.List(
        fields.List(fields.Float(allow_none=True), validate=validate.Length(equal=2)),
        required=True,
        metadata=described(
            "Pairs of a window's start in Unix milliseconds and its value; null if there is none, "
            "or if it is not a finite number."
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
    series = fields.List(fields.Nested(SeriesSchema), required=True)


class ExemplarSchema(ma.Schema):
    """A measurement, with the trace that it was made in."""

    timestamp = fields.String(
        required=True,
        metadata=described("When it was measured, RFC 3339 in UTC.")
        | {"example": "2026-07-14T03:33:20.123456789Z"},
    )
    value = fields.Float(required=True, metadata={"example": 0.25})
    trace_id = fields.String(
        required=True, metadata={"example": "0af7651916cd43dd8448eb211c80319c"}
    )
    span_id = fields.String(
        required=True, metadata=described("Empty if unknown.") | {"example": "b7ad6b7169203331"}
    )
    service_name = fields.String(required=True, metadata={"example": "cart"})
    attributes = fields.Dict(
        fields.String(),
        fields.String(),
        required=True,
        metadata=described("Those of the data point and of the measurement.")
        | {"example": {"http.route": "/login"}},
    )


class ExemplarsAnswer(Answer):
    """Exemplars of a metric, ordered by time."""

    metric = fields.String(required=True)
    exemplars = fields.List(fields.Nested(ExemplarSchema), required=True)
