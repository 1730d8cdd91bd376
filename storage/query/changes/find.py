"""What changed: the values that distinguish the records of a selection from those of a baseline.

Up to a million records, all are counted. Beyond, columns and resources are counted in a sample of
single rows, which is representative, and the records' own attributes and bodies, which are large,
in a sample of runs of rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from config.settings import Settings
from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse
from storage.query.changes.count import (
    Counts,
    Value,
    count_attributes,
    count_columns,
    count_patterns,
    count_resources,
)
from storage.query.changes.score import score
from storage.query.changes.sides import ALL_HASHES, Sample, Sides
from storage.query.changes.subject import KINDS, Subject
from storage.query.changes.terms import compared_fields, identity, query_of

FEW_RECORDS = 1_000_000
"""Up to this many records, all are counted."""

SAMPLE_RECORDS = 100_000
"""Approximate size of a side's sample of runs."""

SAMPLE_ROWS = 100_000
"""Approximate size of a side's sample of single rows."""

MIXED_RECORDS = 500_000
"""Records of both sides of whose runs a sample consists if the sides lie between each other.

A run of records then has few of the smaller side, and takes as long to read.
"""

MOST_ALIKE = 20
"""Other values listed with a change."""

Direction = Literal["more", "less", "both"]
"""Whether the selection has a larger share of a value than the baseline, a smaller one, or any."""


@dataclass(frozen=True, slots=True)
class Term:
    """A value of a field."""

    kind: str
    """One of `KINDS`."""
    field: str
    value: str | bytes
    is_truncated: bool
    q: str | None
    """A query for the records that have it; None if there is none."""


@dataclass(frozen=True, slots=True)
class Change:
    """A value whose share of the selection differs from its share of the baseline."""

    term: Term
    selection_count: int
    """Records of the selection that have it; estimated if a sample was counted."""
    selection_share: float
    baseline_count: int
    baseline_share: float
    score: float
    """From 0 to 1, see `storage.query.changes.score`."""
    first_ns: int
    """Time of the oldest counted record that has it."""
    same_records: list[Term]
    """Other values that the same records have."""

    @property
    def is_new(self) -> bool:
        """Whether no counted record of the baseline has it."""
        return self.baseline_share == 0


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes between the two sides of a comparison."""

    selection: int
    """Records in the selection."""
    baseline: int
    """Records in the baseline."""
    selection_sampled: int
    """Records of the selection whose attributes and bodies were counted."""
    baseline_sampled: int
    """The same of the baseline."""
    exact: bool
    """Whether all records were counted."""
    compared: int
    """Number of values that were compared."""
    found: int
    """Number of changes, including those beyond the limit."""
    changes: list[Change]
    """Highest score first."""


@dataclass(frozen=True, slots=True)
class _Scored:
    score: float
    value: Value
    kind: str
    place: tuple[object, ...]
    """The same for values that the same records have."""


def find_changes(  # noqa: PLR0913, PLR0917 - the request's parameters
    clickhouse: Clickhouse,
    settings: Settings,
    subject: Subject,
    sides: Sides,
    direction: Direction,
    limit: int,
) -> Changes:
    """The `limit` changes with the highest scores.

    Raises:
        QueryRefusedError: the queries are too heavy for their limits.
        QuerySyntaxError: a query of a side is invalid.
        UnavailableError: ClickHouse is away.
    """
    budget = Budget(settings)
    selection, baseline = _sizes(clickhouse, budget, subject, sides)
    exact = selection + baseline <= FEW_RECORDS
    rows = Sample() if exact else _rows(selection, baseline)
    runs = Sample() if exact else _runs(selection, baseline, mixed=sides.are_mixed)
    read = (clickhouse, budget, subject, sides)
    columns, attributes = count_columns(*read, rows), count_attributes(*read, runs)
    in_rows, in_runs = [columns, count_resources(*read, rows)], [attributes]
    if subject.text:
        in_runs.append(count_patterns(*read, runs))
    compared = sum(each.compared for each in in_rows + in_runs)
    known = compared_fields(sides)
    scored = [
        each
        for sample, parts in ((rows, in_rows), (runs, in_runs))
        for part in parts
        for each in _scored(part, subject, direction, compared, sample)
        if identity(subject.fields.named(each.value.field)) not in known
    ]
    groups = _groups(scored)
    totals = (columns.selection, columns.baseline) if exact else (selection, baseline)
    return Changes(
        *totals,
        attributes.selection,
        attributes.baseline,
        exact,
        compared,
        len(groups),
        [_change(group, subject, *totals) for group in groups[:limit]],
    )


def _sizes(
    clickhouse: Clickhouse, budget: Budget, subject: Subject, sides: Sides
) -> tuple[int, int]:
    """The number of records of the selection and of the baseline."""
    counted = sides.counted(Sample())
    [(selection, total)] = clickhouse.query(
        f"SELECT countIf({counted.is_selected}), count() FROM {subject.table} "  # noqa: S608 - bound
        f"WHERE {counted.where.sql}",
        counted.where.params,
        budget.limits(),
    )
    return selection, total - selection


def _rows(selection: int, baseline: int) -> Sample:
    return Sample(_limit(SAMPLE_ROWS, selection), _limit(SAMPLE_ROWS, baseline))


def _runs(selection: int, baseline: int, *, mixed: bool) -> Sample:
    most = _limit(MIXED_RECORDS, selection + baseline) if mixed else ALL_HASHES
    one, other = (min(most, _limit(SAMPLE_RECORDS, total)) for total in (selection, baseline))
    return Sample(one, other, in_runs=True)


def _limit(wanted: int, total: int) -> int:
    """The limit of the hashes for about `wanted` of `total` records."""
    return ALL_HASHES * wanted // total if wanted < total else ALL_HASHES


def _scored(
    counts: Counts, subject: Subject, direction: Direction, compared: int, sample: Sample
) -> Iterator[_Scored]:
    for value in counts.values:
        one, other = value.selection, value.baseline
        is_more = one.share > other.share
        if value.field in subject.repeated or direction == ("less" if is_more else "more"):
            continue
        found = score(one, other, compared)
        if found > 0:
            place = (sample, one.count, other.count, value.first_ns)
            yield _Scored(found, value, subject.kind(value.field), place)


def _groups(scored: list[_Scored]) -> list[list[_Scored]]:
    """Values that the same records have, best explanation first; highest score first.

    Records count as the same if their numbers in both sides and the oldest of them are.
    """
    by_place: dict[tuple[object, ...], list[_Scored]] = {}
    for each in sorted(scored, key=_order):
        by_place.setdefault(each.place, []).append(each)
    return list(by_place.values())


def _order(scored: _Scored) -> tuple[float, int, str, int]:
    value = scored.value
    return -scored.score, KINDS.index(scored.kind), value.field, value.first_ns


def _change(group: list[_Scored], subject: Subject, selection: int, baseline: int) -> Change:
    value = group[0].value
    one, other = value.selection, value.baseline
    return Change(
        _term(group[0], subject),
        round(one.share * selection),
        one.share,
        round(other.share * baseline),
        other.share,
        group[0].score,
        value.first_ns,
        [_term(each, subject) for each in group[1 : MOST_ALIKE + 1]],
    )


def _term(scored: _Scored, subject: Subject) -> Term:
    value = scored.value
    q = query_of(value, scored.kind, subject)
    return Term(scored.kind, value.field, value.text, value.is_truncated, q)
