"""Redaction of decoded rows: by columns, and only for texts in which something was found."""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from storage.decode.columns import TextMaps
from storage.decode.logs import ENDPOINT_NAMES
from storage.redaction.rules import MASK, Redactor

RedactorOf = Callable[[str], Redactor | None]
"""Gives the redactor of a workspace; None: it has no rules."""

_UNTOUCHED = frozenset(
    {
        *("TraceId", "SpanId", "ParentSpanId", "TraceState"),
        *("Links.TraceId", "Links.SpanId", "Links.TraceState"),
        *("Exemplars.TraceId", "Exemplars.SpanId"),
        *("SeverityText", "SpanKind", "StatusCode", "WorkspaceId", "ClientId", "ServiceName"),
        *("ServiceVersion", "ScopeName", "ScopeVersion", "ResourceSchemaUrl", "ScopeSchemaUrl"),
        *("MetricName", "MetricUnit"),
    }
)
"""Columns that identify or classify; a rule must not change what a record is."""

_KEPT, _MASKED, _HASHED, _DROPPED = range(4)
_CODES = {None: _KEPT, "mask": _MASKED, "hash": _HASHED, "drop": _DROPPED}

_Codes = npt.NDArray[np.integer]


def redact(tables: dict[str, pa.RecordBatch], redactor_of: RedactorOf) -> dict[str, pa.RecordBatch]:
    """The tables of a batch with the rules of each row's workspace applied."""
    return {table: _redacted(rows, redactor_of) for table, rows in tables.items()}


def _redacted(rows: pa.RecordBatch, redactor_of: RedactorOf) -> pa.RecordBatch:
    parts = [
        part if redactor is None else _apply(part, redactor)
        for part, redactor in _by_workspace(rows, redactor_of)
    ]
    return parts[0] if len(parts) == 1 else pa.concat_batches(parts)


def _by_workspace(
    rows: pa.RecordBatch, redactor_of: RedactorOf
) -> Iterator[tuple[pa.RecordBatch, Redactor | None]]:
    """Runs of rows with the same redactor, in order; all rows if there is none."""
    workspaces = rows.column("WorkspaceId")
    redactors = [redactor_of(name) for name in workspaces.dictionary.to_pylist()]
    if not rows.num_rows or not any(redactors):
        yield rows, None
        return
    codes = workspaces.indices.to_numpy()
    starts = [0, *(np.flatnonzero(codes[1:] != codes[:-1]) + 1).tolist(), len(codes)]
    for start, end in pairwise(starts):
        yield rows.slice(start, end - start), redactors[codes[start]]


def _apply(rows: pa.RecordBatch, redactor: Redactor) -> pa.RecordBatch:
    columns = {
        name: column if name in _UNTOUCHED else _rewritten(column, redactor)
        for name, column in zip(rows.schema.names, rows.columns, strict=True)
    }
    if "Endpoint" in columns and any(map(redactor.action_on, ENDPOINT_NAMES)):
        found = _pairs(columns["LogAttributes"]).lookup(*ENDPOINT_NAMES)
        columns["Endpoint"] = found.dictionary_encode()
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=rows.schema)


def _rewritten(array: pa.Array, redactor: Redactor) -> pa.Array:
    kind = array.type
    if pa.types.is_string(kind):
        return redactor.texts(array)
    if pa.types.is_dictionary(kind):
        return _dictionary(array, redactor)
    if pa.types.is_map(kind):
        return _map(array, redactor)
    if pa.types.is_list(kind):
        return _list(array, redactor)
    return array


def _dictionary(array: pa.DictionaryArray, redactor: Redactor) -> pa.DictionaryArray:
    made = redactor.texts(array.dictionary)
    if made is array.dictionary:
        return array
    return _encoded(array.indices, made)


def _encoded(indices: pa.Array, texts: pa.StringArray) -> pa.DictionaryArray:
    """The texts at some indices; a dictionary must not have one twice."""
    distinct = texts.dictionary_encode()
    return pa.DictionaryArray.from_arrays(distinct.indices.take(indices), distinct.dictionary)


def _list(array: pa.ListArray, redactor: Redactor) -> pa.ListArray:
    start, end, offsets = _bounds(array)
    values = array.values.slice(start, end - start)
    made = _rewritten(values, redactor)
    return array if made is values else pa.ListArray.from_arrays(offsets, made, array.type)


def _bounds(array: pa.ListArray | pa.MapArray) -> tuple[int, int, pa.Array]:
    """Where the values of a list or map array begin and end, and the offsets from there on.

    A slice shares its values with the rest of the array.
    """
    offsets = array.offsets.to_numpy()
    return int(offsets[0]), int(offsets[-1]), pa.array(offsets - offsets[0])


def _map(array: pa.MapArray, redactor: Redactor) -> pa.MapArray:
    pairs = _pairs(array)
    names = pairs.names.to_pylist()
    of_names = np.array([_CODES[redactor.action_on(name)] for name in names], np.int8)
    if not of_names.any():
        items = _rewritten(pairs.values, redactor)
        if items is pairs.values:
            return array
        return _maps(TextMaps(pairs.offsets, pairs.keys, pairs.names, items), array.type)
    actions = of_names[pairs.keys]
    made = TextMaps(pairs.offsets, pairs.keys, pairs.names, _items(pairs.values, actions, redactor))
    return _maps(_without(made, actions == _DROPPED), array.type)


def _pairs(array: pa.MapArray) -> TextMaps:
    start, end, offsets = _bounds(array)
    keys, items = array.keys.slice(start, end - start), array.items.slice(start, end - start)
    return TextMaps(offsets.to_numpy(), keys.indices.to_numpy(), keys.dictionary, items)


def _maps(pairs: TextMaps, kind: pa.MapType) -> pa.MapArray:
    keys = pa.DictionaryArray.from_arrays(pa.array(pairs.keys), pairs.names)
    return pa.MapArray.from_arrays(pa.array(pairs.offsets), keys, pairs.values, kind)


def _without(pairs: TextMaps, dropped: npt.NDArray[np.bool_]) -> TextMaps:
    """The maps without some of their pairs."""
    if not dropped.any():
        return pairs
    offsets = np.concatenate([[0], np.cumsum(~dropped)]).astype(np.int32)[pairs.offsets]
    values = pairs.values.filter(pa.array(~dropped))
    return TextMaps(offsets, pairs.keys[~dropped], pairs.names, values)


def _items(items: pa.Array, actions: _Codes, redactor: Redactor) -> pa.Array:
    """Values of attributes, some of which are replaced as a whole, the others where it is found."""
    kept = pa.array(actions == _KEPT)
    rest = _rewritten(items.filter(kept), redactor)
    chosen = np.flatnonzero(actions != _KEPT)
    whole = items.take(pa.array(chosen))
    if pa.types.is_string(whole.type):
        whole = whole.dictionary_encode()
    made = _whole(whole, actions[chosen], redactor)
    if pa.types.is_string(items.type):
        return pc.replace_with_mask(_spread(rest, kept), pc.invert(kept), made.dictionary_decode())
    order = np.empty(len(items), np.int64)
    order[actions == _KEPT] = np.arange(len(rest))
    order[chosen] = len(rest) + np.arange(len(made))
    return _joined(rest, made).take(pa.array(order))


def _spread(texts: pa.StringArray, kept: pa.BooleanArray) -> pa.StringArray:
    """The texts at the places that are true; anything at the others."""
    places = np.maximum(np.cumsum(kept.to_numpy(zero_copy_only=False)) - 1, 0)
    return texts.take(pa.array(places)) if len(texts) else pa.array([""] * len(kept), pa.string())


def _joined(one: pa.DictionaryArray, other: pa.DictionaryArray) -> pa.DictionaryArray:
    texts = pa.concat_arrays([one.dictionary, other.dictionary])
    codes = [one.indices.to_numpy(), other.indices.to_numpy() + len(one.dictionary)]
    return _encoded(pa.array(np.concatenate(codes)), texts)


def _whole(texts: pa.DictionaryArray, actions: _Codes, redactor: Redactor) -> pa.DictionaryArray:
    """Texts that are replaced as a whole; of equal ones, one is hashed."""
    codes = texts.indices.to_numpy()
    hashed = np.unique(codes[actions == _HASHED])
    made = [MASK, *map(redactor.hashed, texts.dictionary.take(pa.array(hashed)).to_pylist())]
    places = np.zeros(len(codes), np.int32)
    here = actions == _HASHED
    places[here] = 1 + np.searchsorted(hashed, codes[here])
    return _encoded(pa.array(places), pa.array(made, pa.string()))
