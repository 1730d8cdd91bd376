"""Builds Arrow columns from offsets, without Python objects per row."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from storage.decode.errors import FallbackError, TooMuchError
from storage.time_range import END_NS

Counts = npt.NDArray[np.integer]
Positions = npt.NDArray[np.int64]

LOW_CARDINALITY = pa.dictionary(pa.int32(), pa.string())
REPEATED_MAP = pa.map_(LOW_CARDINALITY, LOW_CARDINALITY)
VARIED_MAP = pa.map_(LOW_CARDINALITY, pa.string())

INSTANT = pa.timestamp("ns", "UTC")

_LATEST = np.uint64(2**63 - 1)
_END = np.uint64(END_NS)
_HEX = np.frombuffer(bytes(range(256)).hex().encode("ascii"), np.uint16)
MOST_PAIRS = 32_000_000
"""Limit of attributes in one column of a batch: some hundred megabytes during decoding."""

_WORD, _WORD_BYTES = 64, 8
_FEW_NAMES = 8 * _WORD


def binary_parts(
    values: pa.Array,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """Starts and sizes of the elements of a binary or string array, and its bytes."""
    _, offsets, content = values.buffers()
    bounds = np.frombuffer(offsets, np.int32)[values.offset : values.offset + len(values) + 1]
    octets = np.frombuffer(content, np.uint8) if content else np.zeros(0, np.uint8)
    return bounds[:-1], np.diff(bounds), octets[: bounds[-1]] if bounds.size else octets[:0]


def at_most_one(values: pa.ListArray) -> pa.BinaryArray:
    """The only element of each list, or empty bytes.

    Raises:
        FallbackError: A list has two elements, that is, a singular field occurred twice.
    """
    flat = values.values
    offsets = values.offsets.to_numpy()
    counts = np.diff(offsets)
    if len(flat) == len(values) and (counts == 1).all():
        return flat
    if (counts > 1).any():
        raise FallbackError("a singular field occurs twice")
    return flat.take(pa.array(offsets[:-1], mask=counts == 0)).fill_null(b"")


def overlay(base: pa.Array, pieces: Sequence[tuple[Positions, pa.Array]]) -> pa.Array:
    """`base` with elements replaced; `pieces` are pairs of positions and values."""
    index = np.arange(len(base), dtype=np.int64)
    start = len(base)
    for positions, values in pieces:
        index[positions] = np.arange(start, start + len(values))
        start += len(values)
    return pa.concat_arrays([base, *(values for _, values in pieces)]).take(pa.array(index))


def filled_ids(ids: pa.BinaryArray, size: int) -> npt.NDArray[np.bool_]:
    """Which ids have `size` bytes, a multiple of eight, and are not all zero."""
    starts, sizes, content = binary_parts(ids)
    filled: npt.NDArray[np.bool_] = sizes == size
    first = int(starts[0]) if starts.size else 0
    if (filled | (sizes == 0)).all():
        octets = content[first:]
    else:
        octets = content[np.repeat(filled, sizes).nonzero()[0] + first]
    words = np.frombuffer(octets.tobytes(), np.uint64).reshape(-1, size // _WORD_BYTES)
    filled[filled] = functools.reduce(np.bitwise_or, words.T) != 0
    return filled


def hex_text(ids: pa.BinaryArray, size: int) -> pa.StringArray:
    """Lower-case hexadecimal text of each id; '' for an id of another size or all zero."""
    starts, sizes, content = binary_parts(ids)
    filled = filled_ids(ids, size)
    first = int(starts[0]) if starts.size else 0
    octets = content[first:]
    if not (filled | (sizes == 0)).all():
        octets = octets[np.repeat(filled, sizes)]
    bounds = np.zeros(len(ids) + 1, np.int32)
    np.cumsum(filled * (2 * size), out=bounds[1:])
    letters = _HEX.take(octets)
    return pa.StringArray.from_buffers(len(ids), pa.py_buffer(bounds), pa.py_buffer(letters))


def known(times: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The times in Unix nanoseconds, with 0 (not given) for those from `END_NS` on."""
    if times.size and times.max() >= _END:
        return np.where(times < _END, times, np.uint64(0))
    return times


def instants(times: npt.NDArray[np.uint64]) -> pa.TimestampArray:
    """Unix nanoseconds as instants; later ones become the latest possible, in 2262."""
    return pa.array(np.minimum(times, _LATEST).view(np.int64)).view(INSTANT)


def lists(like: pa.ListArray, values: pa.Array) -> pa.ListArray:
    """Lists of `values` with the lengths of those in `like`."""
    return pa.ListArray.from_arrays(like.offsets, values)


def repeated(values: pa.Array, counts: Counts) -> pa.DictionaryArray:
    """Each string repeated `counts` times, dictionary-encoded."""
    encoded = values.dictionary_encode()
    indices = np.repeat(encoded.indices.to_numpy(), counts)
    return pa.DictionaryArray.from_arrays(pa.array(indices), encoded.dictionary)


def spans(offsets: npt.NDArray[np.int32], counts: Counts) -> npt.NDArray[np.int32]:
    """Positions of the elements of repeated lists: list 0 `counts[0]` times, and so on."""
    sizes = np.repeat(np.diff(offsets), counts)
    ends = np.cumsum(sizes, dtype=np.int32)
    shifts = np.repeat(offsets[:-1], counts) - (ends - sizes)
    return np.repeat(shifts, sizes) + np.arange(sizes.sum(), dtype=np.int32)


@dataclass(frozen=True, slots=True)
class TextMaps:
    """Maps of text to text, one per row.

    Attributes:
        offsets: Where each row's pairs start; one more than there are rows.
        keys: The index in `names` of each pair's key.
        names: The distinct keys.
        values: The value of each pair; strings, possibly dictionary-encoded.
    """

    offsets: npt.NDArray[np.int32]
    keys: npt.NDArray[np.int32]
    names: pa.StringArray
    values: pa.Array

    @classmethod
    def build(
        cls, offsets: npt.NDArray[np.int32], keys: pa.StringArray, values: pa.StringArray
    ) -> Self:
        """Maps from pairs in order; of equal keys in a map, the last is kept.

        Raises:
            TooMuchError: There are more than :data:`MOST_PAIRS` pairs.
        """
        _check_budget(len(keys))
        encoded = keys.dictionary_encode()
        maps = cls(offsets, encoded.indices.to_numpy(), encoded.dictionary, values)
        return maps._without_duplicates()

    def _without_duplicates(self) -> Self:
        if _all_distinct(self.offsets, self.keys, len(self.names)):
            return self
        rows = self.rows()
        order = np.lexsort((self.keys, rows))
        last = np.ones(order.size, np.bool_)
        last[:-1] = np.diff(rows[order]).astype(bool) | np.diff(self.keys[order]).astype(bool)
        kept = np.zeros(order.size, np.bool_)
        kept[order[last]] = True
        offsets = np.concatenate([[0], np.cumsum(kept)]).astype(np.int32)[self.offsets]
        values = self.values.filter(pa.array(kept))
        return type(self)(offsets, self.keys[kept], self.names, values)

    def rows(self) -> npt.NDArray[np.int64]:
        """The row of each pair."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))

    def lookup(self, *names: str) -> pa.StringArray:
        """The value of the first of `names` that a row has, or ''."""
        found = np.full(len(self.offsets) - 1, -1, np.int64)
        for name in reversed(names):
            key = pc.index(self.names, name).as_py()
            if key >= 0:
                pairs = np.flatnonzero(self.keys == key)
                found[np.searchsorted(self.offsets, pairs, side="right") - 1] = pairs
        return self.values.take(pa.array(found, mask=found < 0)).fill_null("")

    def repeated(self, counts: Counts) -> pa.MapArray:
        """Each row's map repeated `counts` times, with dictionary-encoded values.

        Raises:
            TooMuchError: They have more than :data:`MOST_PAIRS` pairs.
        """
        _check_budget(int(np.diff(self.offsets).astype(np.int64) @ counts.astype(np.int64)))
        pairs = spans(self.offsets, counts)
        sizes = np.repeat(np.diff(self.offsets), counts)
        bounds = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
        values = self.values.dictionary_encode()
        texts = pa.DictionaryArray.from_arrays(
            pa.array(values.indices.to_numpy()[pairs]), values.dictionary
        )
        return type(self)(bounds, self.keys[pairs], self.names, texts).array()

    def array(self) -> pa.MapArray:
        """The maps as an Arrow column with dictionary-encoded keys."""
        keys = pa.DictionaryArray.from_arrays(pa.array(self.keys), self.names)
        return pa.MapArray.from_arrays(pa.array(self.offsets), keys, self.values)


def _check_budget(pairs: int) -> None:
    if pairs > MOST_PAIRS:
        raise TooMuchError(f"{pairs} attributes in one column; the maximum is {MOST_PAIRS}")


def _all_distinct(
    offsets: npt.NDArray[np.int32], keys: npt.NDArray[np.int32], distinct: int
) -> bool:
    sizes = np.diff(offsets)
    if distinct > _FEW_NAMES:
        # The loop below makes a pass per 64 names: minutes for a million names.
        rows = np.repeat(np.arange(sizes.size), sizes)
        pairs = np.sort(rows * distinct + keys)
        return bool((pairs[1:] != pairs[:-1]).all())
    starts = offsets[:-1][sizes > 0]
    seen = np.zeros(starts.size, np.int64)
    for first in range(0, distinct, _WORD):
        # One bit per key: a row without duplicates has as many bits as pairs.
        within = (keys >= first) & (keys < first + _WORD)
        bits = np.where(within, np.uint64(1) << ((keys - first) % _WORD).astype(np.uint64), 0)
        seen += np.bitwise_count(np.bitwise_or.reduceat(bits.astype(np.uint64), starts))
    return bool((seen == sizes[sizes > 0]).all())


def conform(rows: Sequence[dict[str, Any]], schema: pa.Schema) -> pa.RecordBatch:
    """A batch from rows with maps given as lists of pairs and instants as nanoseconds."""
    arrays = [_column([row[field.name] for row in rows], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode()
    if not pa.types.is_map(kind) and not pa.types.is_list(kind):
        return pa.array(values, kind)
    offsets = np.cumsum([0, *(len(members) for members in values)]).astype(np.int32)
    if pa.types.is_list(kind):
        members = _column([member for members in values for member in members], kind.value_type)
        return pa.ListArray.from_arrays(pa.array(offsets), members)
    keys = _column([key for pairs in values for key, _ in pairs], kind.key_type)
    items = _column([value for pairs in values for _, value in pairs], kind.item_type)
    return pa.MapArray.from_arrays(pa.array(offsets), keys, items)
