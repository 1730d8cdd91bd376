"""Maps the field names of queries to columns of a table and keys of its reader's rows."""

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass

from storage.query.vocabulary import with_other_names

APP = "app"
"""The attribute by which plain JSON records may name their service."""

_ATTRIBUTE = re.compile(r"(?P<of>attributes|resource)(\.(?P<dotted>.+)|\[(?P<key>.*)\])", re.DOTALL)


class FieldType(enum.Enum):
    """How a column is compared."""

    TEXT = enum.auto()
    """As a whole text."""
    WORDS = enum.auto()
    """As full text: by words, in any case."""
    NUMBER = enum.auto()
    LEVEL = enum.auto()
    """A log record's level: from its severity text, else from its severity number."""
    SEVERITY = enum.auto()
    """A log record's severity number, else the number of its severity text."""
    TEMPLATE = enum.auto()
    """As a text that belongs to a template."""


class Case(enum.Enum):
    """Case sensitivity of a column of kind `TEXT`."""

    MATTERS = enum.auto()
    STORED_LOWER = enum.auto()
    """The table holds lower case; a query may use any case."""
    IGNORED = enum.auto()


@dataclass(frozen=True, slots=True)
class ColumnField:
    """A field stored in a column of its own."""

    sql: str
    key: str
    """Its key in the reader's rows."""
    kind: FieldType = FieldType.TEXT
    case: Case = Case.MATTERS
    unit: int = 1
    """For a number: units of the column in one unit of the query."""
    has_index: bool = False
    """Whether an index finds records by value."""


@dataclass(frozen=True, slots=True)
class AttributeMap:
    """A map column of attributes."""

    sql: str
    key: str
    index_by_value: bool = False
    """Whether a condition on `mapValues` is needed for ClickHouse to use the index on the values.

    For `map[name] = value` it uses the index anyway, unless the values are LowCardinality.
    """


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute; the first map that has the name provides the value."""

    name: str
    maps: tuple[AttributeMap, ...]
    otherwise: ColumnField | None = None
    """Provides the value if no map has the name."""


Field = ColumnField | Attribute


@dataclass(frozen=True, slots=True, eq=False)
class Fields:
    """The fields of a table.

    `attributes[key]` is looked up in `own`, then in `resource`; `attributes.key` only in `own`;
    `resource.key` and `resource[key]` only in `resource`. Any name that is not a column means
    `attributes[name]`. `app` is that attribute, else the service.
    """

    words: ColumnField
    """Where words and phrases without a field are searched."""
    columns: Mapping[str, ColumnField]
    own: AttributeMap
    resource: AttributeMap
    service: ColumnField
    filled_by: Mapping[str, str]
    """Columns that have the value of a resource's attribute, and the attribute."""
    about: Mapping[str, str]
    """What each field is, by the name that the documentation prefers."""

    def named(self, name: str) -> Field:
        """The field that a name stands for."""
        if name in self.columns:
            return self.columns[name]
        if attribute := self.attribute(name):
            return attribute
        both = (self.own, self.resource)
        return Attribute(name, both, self.service if name == APP else None)

    def attribute(self, name: str) -> Attribute | None:
        """The attribute that a name explicitly refers to, None if it has no such prefix."""
        match = _ATTRIBUTE.fullmatch(name)
        if match is None:
            return None
        if match["dotted"]:
            only = self.own if match["of"] == "attributes" else self.resource
            return Attribute(match["dotted"], (only,))
        both = (self.own, self.resource)
        return Attribute(match["key"], both if match["of"] == "attributes" else both[1:])


_BODY = ColumnField("Body", "body", FieldType.WORDS)
_LEVEL = ColumnField("SeverityText", "severity_text", FieldType.LEVEL)
_SERVICE = ColumnField("ServiceName", "service_name")
_CLIENT = ColumnField("ClientId", "client_id")
_SCOPE = ColumnField("ScopeName", "scope_name")
_IDS = {
    "trace_id": ColumnField("TraceId", "trace_id", case=Case.STORED_LOWER, has_index=True),
    "span_id": ColumnField("SpanId", "span_id", case=Case.STORED_LOWER),
}

SEVERITY = ColumnField("SeverityNumber", "severity_number", FieldType.SEVERITY)
"""Compared with a minimum severity; queries cannot name it."""

LOGS = Fields(
    words=_BODY,
    columns=with_other_names(
        {
            **_IDS,
            "body": _BODY,
            "pattern": ColumnField("Body", "body", FieldType.TEMPLATE),
            "severity": _LEVEL,
            "severity_number": ColumnField("SeverityNumber", "severity_number", FieldType.NUMBER),
            "service_name": _SERVICE,
            "service_version": ColumnField("ServiceVersion", "service_version"),
            "client_id": _CLIENT,
            "endpoint": ColumnField("Endpoint", "endpoint"),
            "scope_name": _SCOPE,
        }
    ),
    own=AttributeMap("LogAttributes", "log_attributes"),
    resource=AttributeMap("ResourceAttributes", "resource_attributes", index_by_value=True),
    service=_SERVICE,
    filled_by={"service_name": "service.name", "service_version": "service.version"},
    about={
        "level": "Level, in any spelling: error, WARN",
        "service": "Name of the service",
        "body": "Words of the body",
        "endpoint": "Route or path of the request",
        "trace_id": "Trace id, in hexadecimal",
        "span_id": "Span id, in hexadecimal",
        "version": "Version of the service",
        "client": "Client within the workspace",
        "scope": "Name of the instrumentation scope",
        "severity_number": "Severity number, 1 to 24",
        APP: "Attribute app, else the name of the service",
    },
)
"""Fields of `otel_logs`, with the row keys of `storage.query.logs.read`."""

SPANS = Fields(
    words=ColumnField("SpanName", "name", FieldType.WORDS),
    columns=with_other_names(
        {
            **_IDS,
            "service_name": _SERVICE,
            "operation": ColumnField("SpanName", "name"),
            "status": ColumnField("StatusCode", "status_code", case=Case.IGNORED),
            "status_message": ColumnField("StatusMessage", "status_message", FieldType.WORDS),
            "kind": ColumnField("SpanKind", "kind", case=Case.IGNORED),
            "duration_ms": ColumnField("Duration", "duration_ns", FieldType.NUMBER, unit=1_000_000),
            "parent_span_id": ColumnField("ParentSpanId", "parent_span_id", case=Case.STORED_LOWER),
            "client_id": _CLIENT,
            "scope_name": _SCOPE,
        }
    ),
    own=AttributeMap("SpanAttributes", "attributes"),
    resource=AttributeMap("ResourceAttributes", "resource_attributes", index_by_value=True),
    service=_SERVICE,
    filled_by={"service_name": "service.name"},
    about={
        "service": "Name of the service",
        "operation": "Name of the span, as a whole",
        "status": "Status: ok, error or unset",
        "duration_ms": "Duration in milliseconds",
        "kind": "Kind: server, client, internal, producer or consumer",
        "status_message": "Words of the status message",
        "trace_id": "Trace id, in hexadecimal",
        "span_id": "Span id, in hexadecimal",
        "parent_span_id": "Id of the parent span, in hexadecimal",
        "client": "Client within the workspace",
        "scope": "Name of the instrumentation scope",
        APP: "Attribute app, else the name of the service",
    },
)
"""Fields of `otel_traces`, with the row keys of `storage.query.traces.read`."""
