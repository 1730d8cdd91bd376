"""What rules would change in stored log records."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from storage.decode.columns import LOW_CARDINALITY, VARIED_MAP, conform
from storage.redaction.rows import redact
from storage.redaction.rules import Redactor, Rule

_TABLE = "otel_logs"
_FIELDS = {
    "body": ("Body", pa.string()),
    "endpoint": ("Endpoint", LOW_CARDINALITY),
    "resource_attributes": ("ResourceAttributes", VARIED_MAP),
    "log_attributes": ("LogAttributes", VARIED_MAP),
}
_SCHEMA = pa.schema([*_FIELDS.values(), ("WorkspaceId", LOW_CARDINALITY)])

LogRow = Mapping[str, Any]
"""A log record with the fields of the API."""


class Change(NamedTuple):
    """A record that would change: its fields that differ."""

    row: LogRow
    before: dict[str, Any]
    after: dict[str, Any]


class Trial(NamedTuple):
    """What rules would change."""

    records_by_rule: list[int]
    """How many records each rule, alone, would change."""
    changes: list[Change]
    """What all together would change, in the order of the rows."""


def tried(rows: Sequence[LogRow], rules: Sequence[Rule], secret: bytes) -> Trial:
    """Apply rules to rows; `secret` keys the hashes."""
    batch = conform([_columns(row) for row in rows], _SCHEMA)
    alone = [len(_changes(rows, batch, (rule,), secret)) for rule in rules]
    return Trial(alone, _changes(rows, batch, tuple(rules), secret))


def _columns(row: LogRow) -> dict[str, Any]:
    found = {column: row[field] for field, (column, _) in _FIELDS.items()}
    for field in ("resource_attributes", "log_attributes"):
        found[_FIELDS[field][0]] = list(row[field].items())
    return {**found, "WorkspaceId": row["workspace_id"]}


def _changes(
    rows: Sequence[LogRow], batch: pa.RecordBatch, rules: tuple[Rule, ...], secret: bytes
) -> list[Change]:
    redactor = Redactor(rules, secret)
    made = redact({_TABLE: batch}, lambda _: redactor)[_TABLE]
    pairs = zip(rows, _views(batch), _views(made), strict=True)
    return [_change(row, before, after) for row, before, after in pairs if before != after]


def _views(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    columns = [batch.column(column).to_pylist() for column, _ in _FIELDS.values()]
    rows = (dict(zip(_FIELDS, values, strict=True)) for values in zip(*columns, strict=True))
    return [
        {name: dict(value) if isinstance(value, list) else value for name, value in row.items()}
        for row in rows
    ]


def _change(row: LogRow, before: dict[str, Any], after: dict[str, Any]) -> Change:
    differ = [name for name in before if before[name] != after[name]]
    return Change(row, {name: before[name] for name in differ}, {n: after[n] for n in differ})
