"""Limits how much the rows repeat of their resource and scope.

A table has these attributes in each row. A resource of a megabyte with thousands of records would
become gigabytes in the worker and in ClickHouse.
"""

from typing import Any

from google.protobuf.message import Message

from ingest.convert.refused import Path, Refused
from ingest.convert.services import METRICS, Service

MOST_GROWTH = 256
"""Maximum bytes of rows for each byte of a request. Ordinary ones grow ten- to fortyfold."""

_ALWAYS = 4 * 1024 * 1024
_ATTRIBUTE = 64
"""Bytes that an attribute takes in a row besides its text."""


def too_heavy(service: Service, request: Message, size: int, refused: Refused) -> Refused:
    """The scopes with too much repetition for a request of `size` bytes."""
    left = max(_ALWAYS, MOST_GROWTH * size)
    found: Refused = {}
    for number, resource in enumerate(getattr(request, service.resources)):
        each = _weight(resource.resource)
        for place, scope in enumerate(getattr(resource, service.scopes)):
            path: Path = (number, place)
            if path in refused or path[:1] in refused:
                continue
            weight = (each + _weight(scope.scope)) * service.count(scope)
            if service is METRICS:
                weight += _of_metrics(scope)
            if weight > left:
                found[path] = (
                    f"resource and scope, repeated for each of {service.count(scope)} records, "
                    f"take {weight} bytes, more than {MOST_GROWTH} times the request"
                )
            else:
                left -= weight
    return found


def _weight(message: Any) -> int:  # noqa: ANN401 - a resource or a scope
    size: int = message.ByteSize()
    return size + _ATTRIBUTE * len(message.attributes)


def _of_metrics(scope: Any) -> int:  # noqa: ANN401 - a scope of metrics
    weight = 0
    for metric in scope.metrics:
        kind = metric.WhichOneof("data")
        texts = len(metric.name) + len(metric.description) + len(metric.unit)
        weight += texts * len(getattr(metric, kind).data_points) if kind else 0
    return weight
