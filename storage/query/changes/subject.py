"""What is compared in log records and in spans: columns, attributes and patterns."""

from collections.abc import Mapping
from dataclasses import dataclass

from storage.query.language.fields import LOGS, SPANS, Fields
from storage.query.logs.facet_counts import COLUMNS
from storage.query.logs.read import TABLE as LOG_TABLE
from storage.query.traces.search import TABLE as SPAN_TABLE

KINDS = (
    *("version", "resource", "attribute", "service", "operation", "endpoint", "scope", "client"),
    *("status", "severity", "kind", "pattern"),
)
"""Kinds of values, by how well they usually explain what others with the same records show."""

PATTERN = "pattern"
"""Field and kind of the patterns of bodies."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A table and what is compared of its rows."""

    table: str
    fields: Fields
    columns: Mapping[str, str]
    """SQL by field."""
    kinds: Mapping[str, str]
    """Kinds of the fields in `columns`, and of single attributes."""
    keys: tuple[str, ...]
    """The table's columns that `columns` reads."""
    repeated: frozenset[str]
    """Attributes that are also in `columns`."""
    text: str
    """The column whose patterns are compared; empty if none are."""

    def kind(self, field: str) -> str:
        """The kind of a field."""
        if field in self.kinds:
            return self.kinds[field]
        return "resource" if field.startswith("resource[") else "attribute"


LOG_RECORDS = Subject(
    table=LOG_TABLE,
    fields=LOGS,
    columns=COLUMNS,
    kinds={
        "severity": "severity",
        "service_name": "service",
        "service_version": "version",
        "client_id": "client",
        "endpoint": "endpoint",
        "scope_name": "scope",
        PATTERN: PATTERN,
    },
    keys=(
        *("SeverityText", "SeverityNumber", "ServiceName", "ServiceVersion", "ClientId"),
        *("Endpoint", "ScopeName"),
    ),
    repeated=frozenset({"resource[service.name]", "resource[service.version]"}),
    text="Body",
)

SPAN_RECORDS = Subject(
    table=SPAN_TABLE,
    fields=SPANS,
    columns={
        "service_name": "ServiceName",
        "operation": "SpanName",
        "status": "lower(StatusCode)",
        "kind": "lower(SpanKind)",
        "client_id": "ClientId",
        "scope_name": "ScopeName",
    },
    kinds={
        "service_name": "service",
        "operation": "operation",
        "status": "status",
        "kind": "kind",
        "client_id": "client",
        "scope_name": "scope",
        "resource[service.version]": "version",
    },
    keys=("ServiceName", "SpanName", "StatusCode", "SpanKind", "ClientId", "ScopeName"),
    repeated=frozenset({"resource[service.name]"}),
    text="",
)
