"""The sample as OTLP export requests, in parts of some minutes."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from ledger.chunk import SignalName
from tasks.sample.metrics import STEP, Meters
from tasks.sample.otlp import logs_request, traces_request
from tasks.sample.pods import LENGTH
from tasks.sample.shop import chatter, visits
from tasks.sample.visit import MadeLog, Visit

SEED = 20_260_714

_PART_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Part:
    """An export request of one signal."""

    signal: SignalName
    records: int
    payload: bytes


def parts(end_ns: int, seed: int = SEED) -> list[Part]:
    """The sample that ends at `end_ns` (Unix nanoseconds), oldest first; the same for the same end.

    Another end has other trace ids, so that two samples in a workspace do not mix.
    """
    source = random.Random(f"{seed} {end_ns}")  # noqa: S311 - nothing here is secret
    found = list(visits(source))
    said = list(chatter(source))
    meters = Meters(source, end_ns)
    made: list[Part] = []
    begin = -LENGTH
    while begin < 0:
        end = begin + _PART_SECONDS
        during = [visit for visit in found if begin <= visit.spans[0].start < end]
        rest = [log for log in said if begin <= log.at < end]
        made += [*_of_visits(during, rest, end_ns)]
        begin = end
    made += _measured(found, meters)
    return made


def _of_visits(found: list[Visit], said: list[MadeLog], end_ns: int) -> Iterator[Part]:
    logs = [log for visit in found for log in visit.logs] + said
    spans = [span for visit in found for span in visit.spans]
    yield Part("logs", len(logs), logs_request(logs, end_ns))
    yield Part("traces", len(spans), traces_request(spans, end_ns))


def _measured(found: list[Visit], meters: Meters) -> Iterator[Part]:
    ended = sorted((span for visit in found for span in visit.spans), key=lambda span: span.end)
    place, at, waiting = 0, -LENGTH + STEP, b""
    while at <= 0:
        while place < len(ended) and ended[place].end < at:
            meters.see(ended[place])
            place += 1
        # Export requests may be concatenated.
        waiting += meters.export(at)
        if at % _PART_SECONDS == 0:
            yield Part("metrics", _points(waiting), waiting)
            waiting = b""
        at += STEP


def _points(payload: bytes) -> int:
    request = ExportMetricsServiceRequest.FromString(payload)
    return sum(
        len(getattr(metric, metric.WhichOneof("data") or "gauge").data_points)
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    )
