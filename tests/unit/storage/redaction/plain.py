"""Redaction record by record, to compare with."""

from functools import cache

import pyarrow as pa

from storage.decode.columns import conform
from storage.redaction.rows import _UNTOUCHED
from tests.unit.storage.decode.alike import column_values


def plainly_redacted(batch, redactor_of):
    """The rows of a batch, redacted one by one."""
    if not batch.num_rows:
        return batch
    columns = {name: _raw(batch, name) for name in batch.schema.names}
    rows = [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
    return conform([_row(row, redactor_of(row["WorkspaceId"])) for row in rows], batch.schema)


def _raw(batch, name):
    kind = batch.schema.field(name).type
    if _has_times(kind):
        return column_values(batch, name)
    return batch.column(name).to_pylist()


def _has_times(kind):
    return pa.types.is_timestamp(kind) or (
        pa.types.is_list(kind) and pa.types.is_timestamp(kind.value_type)
    )


def _row(row, redactor):
    if redactor is None:
        return row
    made = {
        name: value if name in _UNTOUCHED else _value(value, redactor)
        for name, value in row.items()
    }
    if "Endpoint" in row:
        found = dict(made["LogAttributes"])
        acted = redactor.action_on("http.route") or redactor.action_on("url.path")
        if acted:
            made["Endpoint"] = found.get("http.route", found.get("url.path", ""))
    return made


def _value(value, redactor):
    if isinstance(value, str):
        return _text(value, redactor)
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        return [pair for key, text in value for pair in _pair(key, text, redactor)]
    if isinstance(value, list):
        return [_value(member, redactor) for member in value]
    return value


@cache
def _text(text, redactor):
    return redactor.text(text)


def _pair(key, text, redactor):
    action = redactor.action_on(key)
    if action == "mask":
        return [(key, "***")]
    if action == "hash":
        return [(key, redactor.hashed(text))]
    return [] if action else [(key, _text(text, redactor))]
