"""A request to the sample shop: its spans and log records, in all services that it passes."""

import random
from dataclasses import dataclass, field
from math import log

from opentelemetry.proto.logs.v1.logs_pb2 import SeverityNumber
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tasks.sample.pods import Pod, pod_of

Value = str | int | float
Attributes = dict[str, Value]

SERVER, CLIENT = Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT
PRODUCER, CONSUMER = Span.SPAN_KIND_PRODUCER, Span.SPAN_KIND_CONSUMER

LEVELS: dict[str, int] = {
    "DEBUG": SeverityNumber.SEVERITY_NUMBER_DEBUG,
    "INFO": SeverityNumber.SEVERITY_NUMBER_INFO,
    "WARN": SeverityNumber.SEVERITY_NUMBER_WARN,
    "ERROR": SeverityNumber.SEVERITY_NUMBER_ERROR,
}

_FAILED = 500


@dataclass(slots=True)
class MadeSpan:
    """A span; times in seconds before the end of the sample."""

    pod: Pod
    name: str
    kind: int
    trace_id: bytes
    id: bytes
    parent: bytes
    start: float
    attributes: Attributes
    end: float = 0.0
    error: str = ""
    """Why it failed; empty if it did not."""
    exception: Attributes = field(default_factory=dict)
    """The attributes of its exception."""

    def ends(self, at: float, status: int = 0, error: str = "") -> float:
        """End it, perhaps with an HTTP status. Returns `at`."""
        self.end = at
        if status:
            self.attributes["http.response.status_code"] = status
        failed = status >= _FAILED
        self.error = error or (f"HTTP {status}" if failed else "")
        if self.error and status:
            self.attributes["error.type"] = str(status)
        return at


@dataclass(slots=True)
class MadeLog:
    """A log record."""

    pod: Pod
    at: float
    level: str
    body: str
    attributes: Attributes
    trace_id: bytes = b""
    span_id: bytes = b""


class Visit:
    """One request of a customer, and what it causes."""

    def __init__(self, source: random.Random) -> None:
        """Start a trace whose ids and durations come from `source`."""
        self.source = source
        self.customer = f"c-{source.randint(1000, 1400)}"
        self.spans: list[MadeSpan] = []
        self.logs: list[MadeLog] = []
        self._trace_id = source.randbytes(16)

    @property
    def end(self) -> float:
        """When the last span ends."""
        return max(span.end for span in self.spans)

    def takes(self, median: float, spread: float = 0.35) -> float:
        """A duration in seconds."""
        return self.source.lognormvariate(log(median), spread)

    def span(
        self,
        pod: Pod,
        name: str,
        kind: int,
        at: float,
        parent: MadeSpan | None = None,
        **attributes: Value,
    ) -> MadeSpan:
        """Begin a span; the names of attributes have `__` for a dot."""
        made = MadeSpan(
            pod=pod,
            name=name,
            kind=kind,
            trace_id=self._trace_id,
            id=self.source.randbytes(8),
            parent=parent.id if parent else b"",
            start=at,
            attributes=_named(attributes),
        )
        self.spans.append(made)
        return made

    def request(
        self, service: str, method: str, route: str, at: float, caller: MadeSpan | None = None
    ) -> tuple[MadeSpan, MadeSpan | None]:
        """Begin an HTTP request: the span of the server, and that of the client that calls it."""
        about = {"http__request__method": method, "http__route": route}
        client = None
        if caller:
            client = self.span(
                caller.pod,
                method,
                CLIENT,
                at,
                caller,
                http__request__method=method,
                server__address=service,
                server__port=8080,
            )
            at += self.takes(0.0008)
        pod = pod_of(service, at, self.source)
        return self.span(pod, f"{method} {route}", SERVER, at, client, **about), client

    def query(
        self, caller: MadeSpan, statement: str, table: str, at: float, median: float
    ) -> float:
        """A database query. Returns when it ends."""
        made = self.span(
            caller.pod,
            f"{statement} {table}",
            CLIENT,
            at,
            caller,
            db__system__name="postgresql",
            db__namespace="shop",
            db__operation__name=statement,
            db__collection__name=table,
            server__address="postgres",
        )
        return made.ends(at + self.takes(median))

    def log(self, span: MadeSpan, at: float, level: str, body: str, **attributes: Value) -> MadeLog:
        """Log something within a span."""
        made = MadeLog(span.pod, at, level, body, _named(attributes), span.trace_id, span.id)
        self.logs.append(made)
        return made


def _named(attributes: Attributes) -> Attributes:
    return {name.replace("__", "."): value for name, value in attributes.items()}
