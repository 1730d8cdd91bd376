"""Redaction of an OTLP payload, for chunks that become dead letters.

Values are redacted as the texts that would be stored, so that a dead letter that is replayed has
the rows that the rules make of it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from storage.decode import any_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from storage.redaction.rules import Redactor

WITHHELD = b"\xff"
"""Stands for a payload that cannot be read, in which rules cannot find anything; nor can this."""

_REQUESTS: dict[str, type[Message]] = {
    "logs": ExportLogsServiceRequest,
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}
_KEY_VALUE = KeyValue.DESCRIPTOR.full_name
_ANY_VALUE = AnyValue.DESCRIPTOR.full_name
_TEXTS = {
    LogRecord.DESCRIPTOR.full_name: "event_name",
    Span.DESCRIPTOR.full_name: "name",
    Span.Event.DESCRIPTOR.full_name: "name",
    Status.DESCRIPTOR.full_name: "message",
    Metric.DESCRIPTOR.full_name: "description",
}
"""Fields besides values that are redacted, by message; the others identify or classify."""


def redacted(signal: str, payload: bytes, redactor: Redactor) -> bytes:
    """The payload with the rules applied to every text and attribute.

    Fields that this version does not know are left out. A payload that is no OTLP becomes
    :data:`WITHHELD`.
    """
    try:
        request: Any = _REQUESTS[signal].FromString(payload)
    except DecodeError:
        return WITHHELD
    request.DiscardUnknownFields()
    places = _Places(redactor)
    places.collect(request)
    places.rewrite()
    return bytes(request.SerializeToString())


class _Places:
    """The texts of a request, and where they belong."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._texts: list[str] = []
        self._puts: list[Callable[[str], None]] = []

    def collect(self, message: Any) -> None:  # noqa: ANN401 - any message
        """Note the texts within a message; redact attributes whose whole value is redacted."""
        name = message.DESCRIPTOR.full_name
        if name == _ANY_VALUE:
            self._add(any_value.text(message), message, "string_value")
            return
        if (field := _TEXTS.get(name)) and getattr(message, field):
            self._add(getattr(message, field), message, field)
        for member, value in message.ListFields():
            if member.message_type is None:
                continue
            within = value if member.is_repeated else (value,)
            if member.message_type.full_name == _KEY_VALUE:
                within = self._redact_whole(value)
            for each in within:
                self.collect(each)

    def rewrite(self) -> None:
        """Redact the texts, all at once."""
        made = self._redactor.texts(pa.array(self._texts, pa.string())).to_pylist()
        for put, text, new in zip(self._puts, self._texts, made, strict=True):
            if new != text:
                put(new)

    def _add(self, text: str, message: Message, field: str) -> None:
        self._texts.append(text)
        self._puts.append(partial(setattr, message, field))

    def _redact_whole(self, attributes: Any) -> list[Any]:  # noqa: ANN401 - a repeated field
        """Redact attributes whose whole value is redacted; gives the others."""
        others = []
        for place in reversed(range(len(attributes))):
            attribute = attributes[place]
            action = self._redactor.action_on(attribute.key)
            if action is None:
                others.append(attribute)
            elif action == "drop":
                del attributes[place]
            else:
                text = any_value.text(attribute.value)
                attribute.value.string_value = self._redactor.replaced(action, text)
        return others
