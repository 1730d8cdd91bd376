"""SQL for data points, each with the previous data point of its stream.

A stream is the data points of a metric with the same client, unit, attributes, resource, scope,
temporality and monotonicity.

What a data point adds (its *basis*) follows OpenTelemetry's data model:

- `whole`: its full value. A delta; or a cumulative data point that counts from zero, because its
  stream restarted, or started after the beginning of the time range that is read.
- `change`: the difference from the previous data point.
- `none`: unknown. The first cumulative data point read of a stream that is older or gives no start
  time; or one that starts at its own time, which means a restart at an unknown time.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from config.units import NS_PER_MS
from storage.clickhouse.sql import Where, quoted
from storage.query.metrics.filters import MetricFilters, instant, label, where
from storage.query.metrics.kinds import MetricKind
from storage.query.vocabulary import OTHER_NAMES
from storage.time_range import END_NS, FIRST_NS, TimeRange

LOOKBACK_NS = 3_600_000_000_000
"""How far before the first window to look for the previous data point: an hour."""

_KEYED = re.compile(r"attributes\[(.*)\]", re.DOTALL)

SERVICE = ("service_name", *OTHER_NAMES["service_name"])
"""Names of the label that is the service's name rather than an attribute."""

_DELTA = 1
"""OTLP's AGGREGATION_TEMPORALITY_DELTA."""
_NOT_RECORDED = 1
"""OTLP's flag of a data point that has no value."""

_SAME_STREAM = (
    *("ClientId", "MetricUnit", "mapSort(Attributes)", "mapSort(ResourceAttributes)"),
    *("ScopeName", "ScopeVersion", "mapSort(ScopeAttributes)"),
)

_RESTARTED = (
    "StartTimeUnix != BeforeStart AND toUnixTimestamp64Nano(StartTimeUnix) != 0 "
    "AND toUnixTimestamp64Nano(BeforeStart) != 0"
)


@dataclass(frozen=True, slots=True)
class Windows:
    """Adjacent windows of equal width, aligned to the epoch."""

    time_range: TimeRange
    """The windows overlap all of it."""
    width_ms: int

    @property
    def starts_ms(self) -> range:
        """Starts of the windows, in Unix milliseconds."""
        width = self.width_ms * NS_PER_MS
        first, last = self.time_range.first_ns // width, self.time_range.last_ns // width
        return range(first * self.width_ms, (last + 1) * self.width_ms, self.width_ms)

    @property
    def covered(self) -> TimeRange:
        """The time range of all windows, up to the last time that Sheaf supports."""
        starts = self.starts_ms
        return TimeRange(starts.start * NS_PER_MS, min(starts.stop * NS_PER_MS, END_NS) - 1)

    @property
    def with_lookback(self) -> TimeRange:
        """The time range to read, which includes data points before the first window."""
        covered = self.covered
        return TimeRange(max(FIRST_NS, covered.first_ns - LOOKBACK_NS), covered.last_ns)


def data_points(
    kind: MetricKind, filters: MetricFilters, windows: Windows, by: tuple[str, ...]
) -> Where:
    """A SELECT of all data points in `windows`, with its bound values.

    It has the table's columns, and

    - `labels`: the values of the keys `by`, in that order,
    - `place`: the number of the window, counted from the epoch,
    - `stream`: a hash that identifies the stream,
    - for a kind with `counted` columns, `basis` (see above), and these columns of the previous
      data point in the stream, prefixed with `Before`.
    """
    query = where(filters, windows.with_lookback)
    labels = ", ".join(_label(key, query) for key in by)
    width = query.bind(windows.width_ms * NS_PER_MS)
    selected = [
        "*",
        f"[{labels}]::Array(String) AS labels",
        f"intDiv(toUnixTimestamp64Nano(TimeUnix), {width}) AS place",
        f"cityHash64({', '.join(_identity(kind))}) AS stream",
    ]
    inner = (
        f"SELECT {', '.join(selected)} FROM {quoted(kind.table)} "  # noqa: S608 - bound
        f"WHERE {query.sql} AND bitAnd(Flags, {_NOT_RECORDED}) = 0{kind.valued}"
    )
    if kind.counted:
        inner = _compared(kind, windows.with_lookback, query, inner)
    first = instant(query.bind(windows.covered.first_ns))
    query.sql = f"SELECT * FROM ({inner}) WHERE TimeUnix >= {first}"  # noqa: S608 - bound
    return query


def increase(column: str) -> str:
    """SQL for what a data point adds to a numeric column; NULL if unknown."""
    value, before = f"toFloat64({column})", f"toFloat64(Before{column})"
    return f"multiIf(basis = 'whole', {value}, basis = 'change', {value} - {before}, NULL)"


def known_increase(column: str) -> str:
    """As :func:`increase`; also NULL if the result is NaN."""
    added = increase(column)
    return f"if(isNaN({added}), NULL, {added})"


def _label(key: str, query: Where) -> str:
    return "ServiceName" if key in SERVICE else label(query.bind(_KEYED.sub(r"\1", key)))


def _identity(kind: MetricKind) -> Iterator[str]:
    yield from _SAME_STREAM
    if kind.has_temporality:
        yield "AggregationTemporality"
    if kind.name == "sum":
        yield "IsMonotonic"


def _compared(kind: MetricKind, read: TimeRange, query: Where, inner: str) -> str:
    """`inner` with the columns of the previous data point and the basis."""
    before = {"Start": "StartTimeUnix", **{column: column for column in kind.counted}}
    columns = [f"any({sql}) OVER previous AS Before{name}" for name, sql in before.items()]
    return (
        f"SELECT *, {', '.join(columns)}, count() OVER previous = 0 AS is_first, "  # noqa: S608 - bound
        f"{_basis(kind, read, query)} AS basis FROM ({inner}) "
        "WINDOW previous AS (PARTITION BY stream ORDER BY TimeUnix, ChunkId, ChunkRow "
        "ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING)"
    )


def _basis(kind: MetricKind, read: TimeRange, query: Where) -> str:
    started_since = f"StartTimeUnix >= {instant(query.bind(read.first_ns))}"
    cases = {
        f"is_first AND ({started_since}) AND StartTimeUnix < TimeUnix": "whole",
        "is_first": "none",
        f"{_RESTARTED} AND StartTimeUnix = TimeUnix": "none",
        f"({_RESTARTED}) OR ({kind.dropped})": "whole",
    }
    if kind.has_temporality:
        cases = {f"AggregationTemporality = {_DELTA}": "whole", **cases}
    chosen = ", ".join(f"{condition}, '{basis}'" for condition, basis in cases.items())
    return f"multiIf({chosen}, 'change')"
