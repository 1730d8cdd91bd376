"""Which names a query may use, and what they are in a table and in a row of its reader."""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass

from storage.vocabulary import with_other_names

APP = "app"
"""The name under which plain JSON records may name their service."""

_SAID = re.compile(r"(?P<of>attributes|resource)(\.(?P<dotted>.+)|\[(?P<key>.*)\])", re.DOTALL)


class Kind(enum.Enum):
    """How a column is compared."""

    TEXT = enum.auto()
    """A text, as a whole."""
    WORDS = enum.auto()
    """A text of which words are looked for, in either case."""
    NUMBER = enum.auto()
    LEVEL = enum.auto()
    """A log record's severity: its text, else its number's level."""


class Case(enum.Enum):
    """What capitals mean in a column of kind `TEXT`."""

    MATTERS = enum.auto()
    STORED_LOWER = enum.auto()
    """The table holds lower case; a query may be in capitals."""
    IGNORED = enum.auto()


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table."""

    sql: str
    key: str
    """Its key in a row of the reader."""
    kind: Kind = Kind.TEXT
    case: Case = Case.MATTERS
    unit: int = 1
    """How many of the column's units one of the query's is, for a number."""


@dataclass(frozen=True, slots=True)
class AttributeMap:
    """A column of attributes."""

    sql: str
    key: str
    index_by_value: bool = False
    """Whether ClickHouse asks the index on the values only if it is told to.

    It finds out by itself for `map[name] = value`, but not if the values are LowCardinality.
    """


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute: the value is that of the first map that has the name."""

    name: str
    maps: tuple[AttributeMap, ...]
    otherwise: Column | None = None
    """What the value is where no map has the name."""


Field = Column | Attribute


@dataclass(frozen=True, slots=True, eq=False)
class Fields:
    """The names of a table.

    `attributes[key]` is an attribute, looked for in `own`, then in `resource`; `attributes.key` is
    one of `own`, `resource.key` and `resource[key]` are of `resource`. A name that no column has is
    an attribute too, as in brackets. `app` is the attribute, else the service.
    """

    words: Column
    """What words and phrases without a field are looked for in."""
    columns: Mapping[str, Column]
    own: AttributeMap
    resource: AttributeMap
    service: Column

    def named(self, name: str) -> Field:
        """The field that a name stands for."""
        if name in self.columns:
            return self.columns[name]
        if attribute := self.attribute(name):
            return attribute
        both = (self.own, self.resource)
        return Attribute(name, both, self.service if name == APP else None)

    def attribute(self, name: str) -> Attribute | None:
        """The attribute that a name says to be one, None if it does not say so."""
        match = _SAID.fullmatch(name)
        if match is None:
            return None
        if match["dotted"]:
            only = self.own if match["of"] == "attributes" else self.resource
            return Attribute(match["dotted"], (only,))
        both = (self.own, self.resource)
        return Attribute(match["key"], both if match["of"] == "attributes" else both[1:])


_BODY = Column("Body", "body", Kind.WORDS)
_LEVEL = Column("SeverityText", "severity_text", Kind.LEVEL)
_SERVICE = Column("ServiceName", "service_name")
_CLIENT = Column("ClientId", "client_id")
_SCOPE = Column("ScopeName", "scope_name")
_IDS = {
    "trace_id": Column("TraceId", "trace_id", case=Case.STORED_LOWER),
    "span_id": Column("SpanId", "span_id", case=Case.STORED_LOWER),
}

LOGS = Fields(
    words=_BODY,
    columns=with_other_names(
        {
            **_IDS,
            "body": _BODY,
            "severity": _LEVEL,
            "severity_number": Column("SeverityNumber", "severity_number", Kind.NUMBER),
            "service_name": _SERVICE,
            "service_version": Column("ServiceVersion", "service_version"),
            "client_id": _CLIENT,
            "endpoint": Column("Endpoint", "endpoint"),
            "scope_name": _SCOPE,
        }
    ),
    own=AttributeMap("LogAttributes", "log_attributes"),
    resource=AttributeMap("ResourceAttributes", "resource_attributes", index_by_value=True),
    service=_SERVICE,
)
"""Of `otel_logs` and `storage.logs.read`."""

SPANS = Fields(
    words=Column("SpanName", "name", Kind.WORDS),
    columns=with_other_names(
        {
            **_IDS,
            "service_name": _SERVICE,
            "operation": Column("SpanName", "name"),
            "status": Column("StatusCode", "status_code", case=Case.IGNORED),
            "status_message": Column("StatusMessage", "status_message", Kind.WORDS),
            "kind": Column("SpanKind", "kind", case=Case.IGNORED),
            "duration_ms": Column("Duration", "duration_ns", Kind.NUMBER, unit=1_000_000),
            "parent_span_id": Column("ParentSpanId", "parent_span_id", case=Case.STORED_LOWER),
            "client_id": _CLIENT,
            "scope_name": _SCOPE,
        }
    ),
    own=AttributeMap("SpanAttributes", "attributes"),
    resource=AttributeMap("ResourceAttributes", "resource_attributes", index_by_value=True),
    service=_SERVICE,
)
"""Of `otel_traces` and `storage.traces.read`."""
