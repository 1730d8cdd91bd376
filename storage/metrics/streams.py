"""Data points as SQL, each with what its stream counted since the data point before.

A stream is what one source reports: the data points of a metric with the same client, unit,
attributes, resource, scope, temporality and monotonicity.

What a data point adds (its *basis*) follows OpenTelemetry's data model:

- `whole`: all that it says. A delta; or a cumulative data point that counts from zero, because
  its stream restarted, or began since the first data point that is read.
- `change`: what it says more than the data point before.
- `none`: nothing that is known. The first cumulative data point that is read of a stream that is
  older or does not say how old; or one whose start is its own time, which says that its stream
  restarted and that it is not known when.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from storage.metrics.filters import MetricFilters, instant, label, where
from storage.metrics.kinds import Kind
from storage.sql import TimeRange, Where, quoted
from storage.time_range import END_NS, FIRST_NS
from storage.vocabulary import OTHER_NAMES

LOOKBACK_NS = 3_600_000_000_000
"""How far before the first window the data point before is looked for: an hour."""

_KEYED = re.compile(r"attributes\[(.*)\]", re.DOTALL)

SERVICE = ("service_name", *OTHER_NAMES["service_name"])
"""The label that is the service's name rather than an attribute."""

_MS = 1_000_000
_DELTA = 1
"""OTLP's AGGREGATION_TEMPORALITY_DELTA."""
_NOT_RECORDED = 1
"""OTLP's flag of a data point that only says that there is no value."""

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

    span: TimeRange
    """What they are to cover."""
    width_ms: int

    @property
    def starts_ms(self) -> range:
        """Where each window starts, in Unix milliseconds."""
        width = self.width_ms * _MS
        first, last = self.span.first_ns // width, self.span.last_ns // width
        return range(first * self.width_ms, (last + 1) * self.width_ms, self.width_ms)

    @property
    def covered(self) -> TimeRange:
        """All that the windows cover, whole, but nothing that no query may name."""
        starts = self.starts_ms
        return TimeRange(starts.start * _MS, min(starts.stop * _MS, END_NS) - 1)

    @property
    def with_lookback(self) -> TimeRange:
        """What has to be read: also the data points before the first window's."""
        covered = self.covered
        return TimeRange(max(FIRST_NS, covered.first_ns - LOOKBACK_NS), covered.last_ns)


def data_points(kind: Kind, filters: MetricFilters, windows: Windows, by: tuple[str, ...]) -> Where:
    """A SELECT of all data points in `windows`, as its SQL and values.

    It has the table's columns, and

    - `labels`: values of the keys `by`, in that order,
    - `place`: number of the window, counted from the epoch,
    - `stream`: what tells streams apart,
    - `basis`: if the kind counts something, see above,
    - and the columns of the data point before in the same stream, with `Before` in front.
    """
    query = where(filters, windows.with_lookback)
    labels = ", ".join(_label(key, query) for key in by)
    selected = [
        "*",
        f"[{labels}]::Array(String) AS labels",
        f"intDiv(toUnixTimestamp64Nano(TimeUnix), {query.bind(windows.width_ms * _MS)}) AS place",
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
    """SQL for what a data point adds in a column of numbers; NULL where that is not known."""
    value, before = f"toFloat64({column})", f"toFloat64(Before{column})"
    return f"multiIf(basis = 'whole', {value}, basis = 'change', {value} - {before}, NULL)"


def known_increase(column: str) -> str:
    """As :func:`increase`; NULL also where a data point does not say its number."""
    added = increase(column)
    return f"if(isNaN({added}), NULL, {added})"


def _label(key: str, query: Where) -> str:
    return "ServiceName" if key in SERVICE else label(query.bind(_KEYED.sub(r"\1", key)))


def _identity(kind: Kind) -> Iterator[str]:
    yield from _SAME_STREAM
    if kind.has_temporality:
        yield "AggregationTemporality"
    if kind.name == "sum":
        yield "IsMonotonic"


def _compared(kind: Kind, read: TimeRange, query: Where, inner: str) -> str:
    """`inner` with the data point before, and the basis that follows from it."""
    before = {"Start": "StartTimeUnix", **{column: column for column in kind.counted}}
    columns = [f"any({sql}) OVER previous AS Before{name}" for name, sql in before.items()]
    return (
        f"SELECT *, {', '.join(columns)}, count() OVER previous = 0 AS is_first, "  # noqa: S608 - bound
        f"{_basis(kind, read, query)} AS basis FROM ({inner}) "
        "WINDOW previous AS (PARTITION BY stream ORDER BY TimeUnix, ChunkId, ChunkRow "
        "ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING)"
    )


def _basis(kind: Kind, read: TimeRange, query: Where) -> str:
    young = f"StartTimeUnix >= {instant(query.bind(read.first_ns))}"
    cases = {
        f"is_first AND ({young}) AND StartTimeUnix < TimeUnix": "whole",
        "is_first": "none",
        f"{_RESTARTED} AND StartTimeUnix = TimeUnix": "none",
        f"({_RESTARTED}) OR ({kind.dropped})": "whole",
    }
    if kind.has_temporality:
        cases = {f"AggregationTemporality = {_DELTA}": "whole", **cases}
    chosen = ", ".join(f"{condition}, '{basis}'" for condition, basis in cases.items())
    return f"multiIf({chosen}, 'change')"
