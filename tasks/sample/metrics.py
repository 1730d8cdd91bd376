"""The metrics of the sample shop, with traces as exemplars."""

import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    Exemplar,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)

from config.units import MIB
from tasks.sample.otlp import key_values, moment, resource, scope
from tasks.sample.pods import LENGTH, PODS, Pod
from tasks.sample.visit import SERVER, Attributes, MadeSpan, Value

STEP = 30.0
"""Seconds between two exports of a pod."""

_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
_KEYS = ("http.request.method", "http.route", "http.response.status_code")
_OUTCOMES = {200: "paid", 402: "declined"}
_MEMORY_MIB = {"frontend": 180, "cart": 64, "payment": 420, "mail": 90}
_CHECKOUT, _EXHAUSTED = "/checkout", 503

Key = tuple[Value, ...]


@dataclass(slots=True)
class _Durations:
    """The distribution of a route's durations since its pod started."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(_BOUNDS) + 1))
    total: float = 0.0
    slowest: MadeSpan | None = None
    """Since the last export."""

    def add(self, span: MadeSpan) -> None:
        seconds = span.end - span.start
        self.counts[bisect_left(_BOUNDS, seconds)] += 1
        self.total += seconds
        if self.slowest is None or seconds > self.slowest.end - self.slowest.start:
            self.slowest = span


class Meters:
    """The instruments of all pods."""

    def __init__(self, source: random.Random, end_ns: int) -> None:
        """Measure until `end_ns`, in Unix nanoseconds."""
        self._source = source
        self._end_ns = end_ns
        self._durations: dict[Pod, dict[Key, _Durations]] = {pod: {} for pod in PODS}
        self._checkouts: dict[Pod, Counter[str]] = {pod: Counter() for pod in PODS}
        self._timeouts: Counter[Pod] = Counter()

    def see(self, span: MadeSpan) -> None:
        """Count a request that has ended."""
        if span.kind != SERVER:
            return
        key = tuple(span.attributes[name] for name in _KEYS)
        self._durations[span.pod].setdefault(key, _Durations()).add(span)
        status = int(span.attributes["http.response.status_code"])
        if span.attributes["http.route"] == _CHECKOUT:
            self._checkouts[span.pod][_OUTCOMES.get(status, "failed")] += 1
        if span.pod.service == "payment" and status == _EXHAUSTED:
            self._timeouts[span.pod] += 1

    def export(self, at: float) -> bytes:
        """An OTLP export request of all pods that run then."""
        found = [
            ResourceMetrics(
                resource=resource(pod),
                scope_metrics=[ScopeMetrics(scope=scope(pod), metrics=self._of(pod, at))],
            )
            for pod in PODS
            if pod.runs(at)
        ]
        return ExportMetricsServiceRequest(resource_metrics=found).SerializeToString()

    def _of(self, pod: Pod, at: float) -> Iterator[Metric]:
        if durations := self._durations[pod]:
            points = [self._distribution(pod, at, *each) for each in durations.items()]
            yield Metric(
                name="http.server.request.duration",
                description="Duration of HTTP server requests.",
                unit="s",
                histogram=Histogram(data_points=points, aggregation_temporality=_CUMULATIVE),
            )
        if outcomes := self._checkouts[pod]:
            about = "Checkouts by outcome."
            counts: list[tuple[Attributes, int]] = [
                ({"outcome": name}, count) for name, count in sorted(outcomes.items())
            ]
            yield self._sum("shop.checkouts", about, "{checkout}", pod, at, counts)
        if pod.service in {"cart", "payment"}:
            yield from self._of_pool(pod, at)
        used = (_MEMORY_MIB[pod.service] + self._source.gauss(0, 4)) * MIB
        about = "Memory in use."
        yield self._gauge("process.memory.usage", about, "By", at, [({}, round(used))])

    def _of_pool(self, pod: Pod, at: float) -> Iterator[Metric]:
        busy = self._source.choice([1, 2, 2, 2]) if pod.pool == 2 else self._source.randint(0, 4)  # noqa: PLR2004 - the bad pool
        about: Attributes = {"db.client.connection.pool.name": f"{pod.service}s"}
        states = [("used", busy), ("idle", pod.pool - busy)]
        counts: list[tuple[Attributes, int]] = [
            (about | {"db.client.connection.state": state}, count) for state, count in states
        ]
        unit, prefix = "{connection}", "db.client.connection"
        yield self._gauge(f"{prefix}.count", "Connections by state.", unit, at, counts)
        yield self._gauge(f"{prefix}.max", "Connections allowed.", unit, at, [(about, pod.pool)])
        waits = [(about, self._timeouts[pod])]
        text = "Waits for a connection that timed out."
        yield self._sum(f"{prefix}.timeouts", text, "{timeout}", pod, at, waits)

    def _distribution(self, pod: Pod, at: float, key: Key, found: _Durations) -> HistogramDataPoint:
        slowest, found.slowest = found.slowest, None
        return HistogramDataPoint(
            attributes=key_values(dict(zip(_KEYS, key, strict=True))),
            start_time_unix_nano=self._started(pod),
            time_unix_nano=moment(self._end_ns, at),
            count=sum(found.counts),
            sum=found.total,
            bucket_counts=found.counts,
            explicit_bounds=_BOUNDS,
            exemplars=[self._exemplar(slowest)] if slowest else [],
        )

    def _exemplar(self, span: MadeSpan) -> Exemplar:
        return Exemplar(
            time_unix_nano=moment(self._end_ns, span.end),
            as_double=span.end - span.start,
            trace_id=span.trace_id,
            span_id=span.id,
        )

    def _sum(  # noqa: PLR0913, PLR0917 - what a metric has
        self,
        name: str,
        about: str,
        unit: str,
        pod: Pod,
        at: float,
        counts: list[tuple[Attributes, int]],
    ) -> Metric:
        points = self._points(counts, at, self._started(pod))
        total = Sum(data_points=points, aggregation_temporality=_CUMULATIVE, is_monotonic=True)
        return Metric(name=name, description=about, unit=unit, sum=total)

    def _gauge(
        self, name: str, about: str, unit: str, at: float, counts: list[tuple[Attributes, int]]
    ) -> Metric:
        points = self._points(counts, at)
        return Metric(name=name, description=about, unit=unit, gauge=Gauge(data_points=points))

    def _points(
        self, counts: list[tuple[Attributes, int]], at: float, start_ns: int = 0
    ) -> list[NumberDataPoint]:
        return [
            NumberDataPoint(
                attributes=key_values(attributes),
                start_time_unix_nano=start_ns,
                time_unix_nano=moment(self._end_ns, at),
                as_int=count,
            )
            for attributes, count in counts
        ]

    def _started(self, pod: Pod) -> int:
        return moment(self._end_ns, max(pod.first, -LENGTH))
