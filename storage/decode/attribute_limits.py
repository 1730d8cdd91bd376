"""Limits on attributes, applied to decoded rows by columns.

The rules are those of OpenTelemetry's SDKs for `OTEL_ATTRIBUTE_COUNT_LIMIT` and
`OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT`: the first attributes stay, longer values are cut, and the
attributes of resources and metrics are exempt.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_LIMITED = frozenset({"LogAttributes", "SpanAttributes", "Events.Attributes", "Links.Attributes"})

_ANY = np.iinfo(np.int64).max

Tables = dict[str, pa.RecordBatch]


@dataclass(frozen=True, slots=True)
class AttributeLimits:
    """The limits of a workspace; None: no limit."""

    count: int | None = None
    """Attributes of a log record, span, event or link."""
    length: int | None = None
    """Characters of a value."""


@dataclass(frozen=True, slots=True)
class _RowLimits:
    """The limits of each row."""

    count: np.ndarray
    length: np.ndarray

    def repeated(self, times: np.ndarray) -> "_RowLimits":
        return _RowLimits(np.repeat(self.count, times), np.repeat(self.length, times))


def limit_attributes(tables: Tables, limits_of: Callable[[str], AttributeLimits]) -> Tables:
    """The tables of a batch with the limits of each row's workspace applied."""
    return {table: _limited_rows(rows, limits_of) for table, rows in tables.items()}


def _limited_rows(
    rows: pa.RecordBatch, limits_of: Callable[[str], AttributeLimits]
) -> pa.RecordBatch:
    names = rows.schema.names
    if not rows.num_rows or not _LIMITED & set(names):
        return rows
    limits = _of_rows(rows.column("WorkspaceId"), limits_of)
    if limits is None:
        return rows
    columns = [
        _limited(column, limits) if name in _LIMITED else column
        for name, column in zip(names, rows.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=rows.schema)


def _of_rows(
    workspaces: pa.Array, limits_of: Callable[[str], AttributeLimits]
) -> _RowLimits | None:
    """The limits of each row; None if there are none."""
    if not isinstance(workspaces, pa.DictionaryArray):
        workspaces = workspaces.dictionary_encode()
    limits = [limits_of(name) for name in workspaces.dictionary.to_pylist()]
    if not any(each.count or each.length for each in limits):
        return None
    codes = workspaces.indices.to_numpy(zero_copy_only=False)
    count = np.array([each.count or _ANY for each in limits], np.int64)
    length = np.array([each.length or _ANY for each in limits], np.int64)
    return _RowLimits(count[codes], length[codes])


def _limited(array: pa.Array, limits: _RowLimits) -> pa.Array:
    """A column of maps, or of lists of maps."""
    # Sliced arrays share their parents' values.
    offsets = array.offsets.to_numpy()
    first, counts = offsets[0], np.diff(offsets)
    if pa.types.is_map(array.type):
        size = offsets[-1] - first
        keys, items = array.keys.slice(first, size), array.items.slice(first, size)
        return _limited_maps(array.type, counts, keys, items, limits)
    inner = array.values.slice(first, offsets[-1] - first)
    maps = _limited(inner, limits.repeated(counts))
    return pa.ListArray.from_arrays(pa.array(offsets - first, pa.int32()), maps, array.type)


def _limited_maps(
    kind: pa.DataType, counts: np.ndarray, keys: pa.Array, items: pa.Array, limits: _RowLimits
) -> pa.MapArray:
    kept = np.minimum(counts, limits.count)
    if kept.sum() < len(keys):
        ends = np.cumsum(counts)
        place = np.arange(len(keys)) - np.repeat(ends - counts, counts)
        chosen = pa.array(place < np.repeat(limits.count, counts))
        keys, items = keys.filter(chosen), items.filter(chosen)
    items = _cut(items, np.repeat(limits.length, kept))
    offsets = pa.array(np.concatenate([[0], np.cumsum(kept)]), pa.int32())
    return pa.MapArray.from_arrays(offsets, keys, items, kind)


def _cut(texts: pa.StringArray, most: np.ndarray) -> pa.StringArray:
    # Most are short, and need not be counted: a character takes a byte or more.
    long = pc.binary_length(texts).to_numpy(zero_copy_only=False) > most
    for length in np.unique(most[long]).tolist():
        these = pa.array(long & (most == length))
        shorter = pc.utf8_slice_codeunits(texts.filter(these), 0, length)
        texts = pc.replace_with_mask(texts, these, shorter)
    return texts
