"""Facets: the fields of a search's records and their most frequent values.

Named fields are counted exactly, in one pass. Without names, the columns are, and attributes are
found in a sample; those with few distinct values are then counted exactly as well, unless the
search is very large. Fields with too many distinct values are counted in the sample, and facets say
whether they are exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from config.settings import Settings
from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import TOO_MANY_ROWS, QueryRefusedError
from storage.clickhouse.sql import Bind, Where
from storage.query.language.fields import LOGS
from storage.query.logs.facet_counts import (
    COLUMNS,
    VALUE_CHARACTERS,
    Facet,
    FacetValue,
    count_fields,
)
from storage.query.logs.read import TABLE
from storage.query.logs.sample import Records
from storage.query.logs.search import LogFilters
from storage.time_range import TimeRange

SAMPLE_RECORDS = 50_000
"""Approximate size of a sample, in records; a smaller search is counted exactly."""

FEW_VALUES = 1000
"""Distinct values in the sample up to which a field is counted exactly in any case."""

MANY_RECORDS = 500_000
"""Records in a search above which unnamed attributes are counted in the sample only."""

MOST_FIELDS = 50
"""Attributes returned if no fields are named: those that most records have."""

_WHOLE = ""
"""A pseudo-field of every record, by which the query counts the records."""

_NO_PAIR = "CAST([], 'Array(Tuple(String, String))')"

_ATTRIBUTES = (
    "mapUpdate(CAST(ResourceAttributes, 'Map(String, String)'), "
    "CAST(LogAttributes, 'Map(String, String)'))"
)
"""The log attribute takes precedence over the resource's, as in the filters."""


@dataclass(frozen=True, slots=True)
class Facets:
    """The facets of a search: columns, then attributes by frequency."""

    total: int
    """Records in the search."""
    sampled: int
    """Records in the sample; equals `total` if no sample was taken."""
    facets: list[Facet]


def log_facets(  # noqa: PLR0913, PLR0917 - the request's parameters
    clickhouse: Clickhouse,
    settings: Settings,
    filters: LogFilters,
    time_range: TimeRange,
    fields: Sequence[str],
    values: int,
) -> Facets:
    """The facets of a search.

    Args:
        clickhouse: the connection.
        settings: the limits of the queries, which share one budget.
        filters: the search.
        time_range: the search's time range.
        fields: which fields; if empty, the columns and the most frequent attributes, without those
            that fill a column.
        values: maximum number of values per field.

    Raises:
        QueryRefusedError: the queries are too heavy for their limits.
        UnavailableError: ClickHouse is away.
    """
    records = Records(clickhouse, Budget(settings), filters, time_range)
    return _named(records, fields, values) if fields else _found(records, values)


def _named(records: Records, fields: Sequence[str], values: int) -> Facets:
    names = list(dict.fromkeys(fields))
    if counted := _unless_too_many(records, names, values):
        total, facets = counted
        return Facets(total, total, [facets[name] for name in names])
    total = records.count()
    sample = records.sample(SAMPLE_RECORDS, total)
    sampled, facets = count_fields(sample, names, values, exact=False)
    few = [name for name in names if facets[name].distinct <= FEW_VALUES]
    total, exact = (few and _unless_too_many(records, few, values)) or (total, {})
    facets |= exact
    return Facets(max(total, sampled), sampled, [facets[name] for name in names])


def _found(records: Records, values: int) -> Facets:
    total = records.count()
    if total <= SAMPLE_RECORDS:
        total, found = _all_fields(records, values, exact=True)
        return Facets(total, total, _in_order(found))
    sampled, found = _all_fields(records.sample(SAMPLE_RECORDS, total), values, exact=False)
    names = [*COLUMNS, *(name for name in found if name not in COLUMNS and total <= MANY_RECORDS)]
    few = [name for name in names if name not in found or found[name].distinct <= FEW_VALUES]
    if few and (counted := _unless_too_many(records, few, values)):
        # With a new total: more records may have arrived.
        total, exact = counted
        found |= {name: facet for name, facet in exact.items() if facet.records}
    return Facets(max(total, sampled), sampled, _in_order(found))


def _unless_too_many(
    records: Records, names: Sequence[str], values: int
) -> tuple[int, dict[str, Facet]] | None:
    """The exact facets; None if they have too many distinct values."""
    try:
        return count_fields(records, names, values, exact=True)
    except QueryRefusedError as error:
        if error.code != TOO_MANY_ROWS:
            raise
        return None


def _in_order(found: dict[str, Facet]) -> list[Facet]:
    columns = [found[name] for name in COLUMNS if name in found]
    others = (facet for name, facet in found.items() if name not in COLUMNS)
    return columns + sorted(others, key=lambda facet: (-facet.records, facet.field))


def _all_fields(records: Records, values: int, *, exact: bool) -> tuple[int, dict[str, Facet]]:
    """The number of records, and facets of all columns and of the most frequent attributes."""
    clause = records.where()
    sql = _ranked(clause, values)
    facets: dict[str, Facet] = {}
    total = 0
    for name, value, count, present, distinct, truncated in records.clickhouse.query(
        sql, clause.params, records.budget.limits()
    ):
        if name == _WHOLE:
            total = count
            continue
        facet = facets.setdefault(name, Facet(name, exact, present, distinct, []))
        facet.values.append(FacetValue(value, count, bool(truncated)))
    return total, facets


def _ranked(clause: Where, values: int) -> str:
    counted = (
        "SELECT pair.1 AS field, "  # noqa: S608 - bound
        f"leftUTF8(pair.2, {clause.bind(VALUE_CHARACTERS)}) AS value, count() AS records, "
        "max(length(pair.2)) > length(value) AS truncated "
        f"FROM (SELECT arrayJoin({_pairs(clause.bind)}) AS pair "
        f"FROM {TABLE} WHERE {clause.sql}) GROUP BY field, value"
    )
    whole = (
        "SELECT *, sum(records) OVER (PARTITION BY field) AS present, "  # noqa: S608 - bound
        f"count() OVER (PARTITION BY field) AS distinct FROM ({counted})"
    )
    ranked = (
        "SELECT *, dense_rank() OVER "  # noqa: S608 - bound
        f"(PARTITION BY field = '', field IN {clause.bind(tuple(COLUMNS))} "
        "ORDER BY present DESC, field) "
        f"AS place FROM ({whole})"
    )
    return (
        f"SELECT field, value, records, present, distinct, truncated FROM ({ranked}) "  # noqa: S608 - bound
        f"WHERE place <= {clause.bind(MOST_FIELDS)} ORDER BY field, records DESC, value "
        f"LIMIT {clause.bind(values)} BY field"
    )


def _pairs(bind: Bind) -> str:
    """SQL for a record's fields and values as an array of pairs."""
    attributes = f"CAST({_ATTRIBUTES}, 'Array(Tuple(String, String))')"
    filling = bind(tuple(LOGS.filled_by.values()))
    others = f"arrayFilter(pair -> pair.1 NOT IN {filling}, {attributes})"
    parts = [
        f"[({bind(_WHOLE)}, '')]",
        *(_one(name, value, bind) for name, value in COLUMNS.items()),
        f"arrayMap(pair -> (concat('attributes[', pair.1, ']'), pair.2), {others})",
    ]
    return f"arrayConcat({', '.join(parts)})"


def _one(name: str, value: str, bind: Bind) -> str:
    return f"if({value} != '', [({bind(name)}, CAST({value}, 'String'))], {_NO_PAIR})"
