"""Names of attributes and values of fields that a query box can suggest, quickly.

They come from a sample of bounded size: of a large time range, from some of its five-minute
intervals, spread evenly, and of these some granules. What was read is kept for `KEPT_SECONDS`.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from config.settings import Settings
from config.units import NS_PER_S
from storage.clickhouse.budget import MOST_ROWS, Budget, stricter
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.sql import Where, in_time_range
from storage.query.field_values import value_or_null
from storage.query.language.complete import Counts
from storage.query.language.fields import Field, Fields
from storage.time_range import TimeRange

KEPT_SECONDS = 30.0
"""How old an answer may be."""

SAMPLE_RECORDS = 50_000
"""Approximate size of a sample; the records of a smaller time range are all read."""

MOST_TEXTS = 1000
"""Names or values that are read, the most frequent."""

MOST_CHARACTERS = 256
"""A longer value is not suggested."""

_LEAST_INTERVALS, _MOST_INTERVALS = 16, 64
_MOST_READ = 4_000_000
_GRANULE_ROWS = 2048
_INTERVAL_NS = 300 * 10**9
_KEPT_ANSWERS = 512
_ROUND_NS = 60 * 10**9


@dataclass(frozen=True, slots=True)
class Source:
    """The records to look at. Two with the same key have the same records."""

    table: str
    """The table, quoted."""
    fields: Fields
    workspace_id: str
    time_range: TimeRange
    where: Callable[[], Where]
    """The condition for the records, with their tenant and time range."""
    filters: Hashable
    """What `where` depends on besides the time range, with workspace and client."""


class Suggestions:
    """Reads names and values, and keeps them for a while. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[Hashable, tuple[float, Counts]] = OrderedDict()
        self._lock = threading.Lock()

    def names(self, clickhouse: Clickhouse, settings: Settings, source: Source) -> Counts:
        """Names of the attributes of the records and their resources.

        Raises:
            QueryRefusedError: the query is too heavy for its limits.
            UnavailableError: ClickHouse is away.
        """
        key = ("names", *_key(source))
        return self._known(key, lambda: _names(clickhouse, settings, source))

    def values(
        self, clickhouse: Clickhouse, settings: Settings, source: Source, field: Field, typed: str
    ) -> Counts:
        """The most frequent values of a field; if it has very many, those that contain `typed`.

        Raises the same as :meth:`names`.
        """
        key = ("values", field, *_key(source))
        found = self._known(key, lambda: _values(clickhouse, settings, source, field, ""))
        if len(found) < MOST_TEXTS or not typed:
            return found
        begun = typed.lower()
        read = lambda: _values(clickhouse, settings, source, field, begun)  # noqa: E731 - short
        return self._known((*key, begun), read)

    def _known(self, key: Hashable, read: Callable[[], Counts]) -> Counts:
        with self._lock:
            until, found = self._kept.get(key, (0.0, {}))
        if until > self._clock():
            return found
        found = read()
        with self._lock:
            self._kept[key] = (self._clock() + KEPT_SECONDS, found)
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT_ANSWERS:
                self._kept.popitem(last=False)
        return found


def _key(source: Source) -> tuple[Hashable, ...]:
    first, last = source.time_range.first_ns, source.time_range.last_ns
    return source.table, source.filters, first // _ROUND_NS, last // _ROUND_NS


def _names(clickhouse: Clickhouse, settings: Settings, source: Source) -> Counts:
    own, resource = source.fields.own.sql, source.fields.resource.sql
    sql = f"arrayJoin(arrayDistinct(arrayConcat(mapKeys({own}), mapKeys({resource}))))"
    return _counted(clickhouse, settings, source, lambda _: sql, "")


def _values(
    clickhouse: Clickhouse, settings: Settings, source: Source, field: Field, begun: str
) -> Counts:
    return _counted(
        clickhouse, settings, source, lambda clause: value_or_null(field, clause.bind), begun
    )


def _counted(
    clickhouse: Clickhouse,
    settings: Settings,
    source: Source,
    text: Callable[[Where], str],
    begun: str,
) -> Counts:
    """The most frequent texts; with counts if all records were read."""
    budget = Budget(settings)
    total = _count(clickhouse, budget, source)
    clause = source.where()
    if total > SAMPLE_RECORDS:
        clause.sql += f" AND {_in_some(clause, source.time_range, total)}"
    most = clause.bind(MOST_CHARACTERS)
    contains = f" AND position(lower(text), {clause.bind(begun)}) > 0" if begun else ""
    sql = (
        f"SELECT text, count() AS found FROM (SELECT {text(clause)} AS text "  # noqa: S608 - bound
        f"FROM {source.table} WHERE {clause.sql}) "
        f"WHERE text IS NOT NULL AND lengthUTF8(assumeNotNull(text)) <= {most}{contains} "
        f"GROUP BY text ORDER BY found DESC, text LIMIT {clause.bind(MOST_TEXTS)}"
    )
    limits = budget.limits()
    if total > SAMPLE_RECORDS:
        # It ends early if an interval has far more records than the others.
        limits = stricter(limits, {MOST_ROWS: _MOST_READ, "read_overflow_mode": "break"})
    rows = clickhouse.query(sql, clause.params, limits)
    is_whole = total <= SAMPLE_RECORDS
    return {text: count if is_whole else None for text, count in rows if isinstance(text, str)}


def _count(clickhouse: Clickhouse, budget: Budget, source: Source) -> int:
    """Records of the workspace in the time range, from the primary index."""
    clause = Where()
    clause.sql = " AND ".join([
        f"WorkspaceId = {clause.bind(source.workspace_id)}",
        *in_time_range(source.time_range, clause.bind),
    ])  # fmt: skip
    sql = f"SELECT count() FROM {source.table} WHERE {clause.sql}"  # noqa: S608 - bound
    [(count,)] = clickhouse.query(sql, clause.params, budget.limits())
    return int(count)


def _in_some(clause: Where, time_range: TimeRange, total: int) -> str:
    """The condition for a sample of about `SAMPLE_RECORDS` of `total` records."""
    first, last = time_range.first_ns // _INTERVAL_NS, time_range.last_ns // _INTERVAL_NS
    intervals = last - first + 1
    enough = max(_LEAST_INTERVALS, intervals * SAMPLE_RECORDS // total)
    wanted = min(intervals, _MOST_INTERVALS, enough)
    seconds = (
        (last - number * intervals // wanted) * _INTERVAL_NS // NS_PER_S for number in range(wanted)
    )
    starts = ", ".join(f"toDateTime({clause.bind(second)})" for second in seconds)
    part = min(1.0, SAMPLE_RECORDS / (total * wanted / intervals))
    granule = f"cityHash64(_part) + intDiv(_part_offset, {clause.bind(_GRANULE_ROWS)})"
    return (
        f"toStartOfFiveMinutes(Timestamp) IN ({starts}) "
        f"AND intHash64({granule}) < {clause.bind(int(part * (2**64 - 1)))}"
    )
