"""Generated lines of a request log."""

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime

_STATUSES = {200: 90, 201: 3, 304: 1, 400: 1, 404: 3, 500: 1, 503: 1}
_RESOURCES = 12
_MEDIAN_SECONDS = 0.08
_SPREAD = 0.9


def request_lines(source: random.Random, customers: int, times: Iterator[float]) -> Iterator[str]:
    """Endless lines of the request log: `2024-09-14 16:15:35 cust_5 /api/v1/resource4 200 0.772`.

    Args:
        source: randomness for everything but the times.
        customers: `cust_1` to `cust_<customers>`.
        times: Unix times of the lines.
    """
    for moment in times:
        when = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")
        [status] = source.choices([*_STATUSES], [*_STATUSES.values()])
        customer = source.randint(1, customers)
        route = f"/api/v1/resource{source.randint(1, _RESOURCES)}"
        seconds = _MEDIAN_SECONDS * source.lognormvariate(0, _SPREAD)
        yield f"{when} cust_{customer} {route} {status} {seconds:.3f}"


def moments(start: float | None, step: float) -> Iterator[float]:
    """The current times, or times from `start` on, `step` seconds apart."""
    number = 0
    while True:
        yield time.time() if start is None else start + number * step
        number += 1
