"""An hour of the sample shop: visits, deployments and idle chatter, from a seed."""

import random
from collections.abc import Iterator
from math import pi, sin

from tasks.sample.pods import LENGTH, PODS, Pod
from tasks.sample.requests import KINDS
from tasks.sample.visit import MadeLog, Visit

_VISITS_PER_SECOND = 1.6
_WAVE_SECONDS = 1500.0
_HEARTBEAT_SECONDS = 60.0


def visits(source: random.Random) -> Iterator[Visit]:
    """All visits that have ended by the end of the sample, in the order of their starts."""
    kinds, weights = zip(*KINDS, strict=True)
    at = -LENGTH
    while True:
        wave = 1 + 0.18 * sin(2 * pi * at / _WAVE_SECONDS)
        at += source.expovariate(_VISITS_PER_SECOND * wave)
        if at >= 0:
            return
        visit = Visit(source)
        source.choices(kinds, weights)[0](visit, at)
        if visit.end < 0:
            yield visit


def chatter(source: random.Random) -> Iterator[MadeLog]:
    """Log records that belong to no request: starts, stops, heartbeats."""
    for pod in PODS:
        if pod.first > -LENGTH:
            yield from _start(pod)
        if pod.last < 0:
            yield MadeLog(pod, pod.last - 4, "INFO", "SIGTERM received, draining requests", {})
            yield MadeLog(pod, pod.last - 0.5, "INFO", f"{pod.service} {pod.version} stopped", {})
        at = max(pod.first, -LENGTH) + source.uniform(2, _HEARTBEAT_SECONDS)
        while at < min(pod.last - 5, 0):
            seconds = round(source.uniform(0.001, 0.02), 4)
            text = f"health check passed in {round(1000 * seconds)} ms"
            yield MadeLog(pod, at, "DEBUG", text, {"url.path": "/healthz"})
            at += _HEARTBEAT_SECONDS


def _start(pod: Pod) -> Iterator[MadeLog]:
    about = {"db.client.connection.pool.name": "payments"}
    text = f"connection pool payments opened: max_size={pod.pool}, acquire_timeout=2000 ms"
    yield MadeLog(pod, pod.first + 0.1, "INFO", f"{pod.service} {pod.version} starting", {})
    yield MadeLog(pod, pod.first + 0.4, "INFO", text, dict(about))
    yield MadeLog(pod, pod.first + 0.9, "INFO", "listening on :8080, ready for requests", {})
