"""Made data points, stored as the write path stores them."""

import itertools
import secrets
from dataclasses import dataclass, field

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Exemplar,
    Metric,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from storage.clickhouse.insert import Inserter
from storage.decode import ChunkRows, decode

BASE_S = 1_784_000_040
"""2026-07-14T03:34:00Z, the start of a minute; times of data points are in seconds since then."""

DELTA, CUMULATIVE = 1, 2

_chunk_ids = itertools.count(secrets.randbits(62))


@dataclass(kw_only=True)
class Stream:
    """A stream; `points` have OTLP's fields, but `time` and `start` in seconds since `BASE_S`."""

    name: str = "requests"
    kind: str = "sum"
    points: list[dict] = field(default_factory=list)
    temporality: int = CUMULATIVE
    monotonic: bool = True
    unit: str = "1"
    description: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    resource: dict[str, str] = field(default_factory=lambda: {"service.name": "shop"})
    scope: str = ""

    def otlp(self):
        """The stream as OTLP's ResourceMetrics."""
        metric = Metric(name=self.name, unit=self.unit, description=self.description)
        member = getattr(metric, self.kind)
        member.SetInParent()
        if self.kind not in {"gauge", "summary"}:
            member.aggregation_temporality = self.temporality
        if self.kind == "sum":
            member.is_monotonic = self.monotonic
        for point in self.points:
            member.data_points.add(attributes=_pairs(self.attributes), **_in_nanoseconds(point))
        scopes = [ScopeMetrics(scope=InstrumentationScope(name=self.scope), metrics=[metric])]
        return ResourceMetrics(
            resource=Resource(attributes=_pairs(self.resource)), scope_metrics=scopes
        )


def numbers(*points, start=None):
    """Data points of a gauge or sum from (time, value) or (time, value, start)."""
    return [
        {"time": time, "as_double": value, "start": given[0] if given else start}
        for time, value, *given in points
    ]


def exemplar(time, value, trace, attributes=(), span=1):
    """An exemplar measured `time` seconds after `BASE_S` in the trace with this number."""
    return Exemplar(
        time_unix_nano=int((BASE_S + time) * 10**9),
        as_double=value,
        trace_id=trace.to_bytes(16, "big") if trace else b"",
        span_id=span.to_bytes(8, "big"),
        filtered_attributes=_pairs(dict(attributes)),
    )


def put_metrics(settings, workspace, *streams, client="web"):
    """Decode and insert the streams' data points, as a worker does."""
    request = ExportMetricsServiceRequest(resource_metrics=[each.otlp() for each in streams])
    chunk = ChunkRows(
        request.SerializeToString(), workspace, client, next(_chunk_ids), BASE_S * 10**9, 0
    )
    inserter = Inserter(settings)
    try:
        for table, rows in decode("metrics", [chunk]).items():
            if rows.num_rows:
                inserter.insert(table, rows, f"made-{secrets.token_hex(8)}")
    finally:
        inserter.close()


def _in_nanoseconds(point):
    times = {
        f"{name}_unix_nano": int((BASE_S + point[short]) * 10**9)
        for short, name in (("time", "time"), ("start", "start_time"))
        if point.get(short) is not None
    }
    return {key: value for key, value in point.items() if key not in {"time", "start"}} | times


def _pairs(attributes):
    return [
        KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in attributes.items()
    ]
