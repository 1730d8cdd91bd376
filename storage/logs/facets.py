"""Facets: which fields the records of a search have, and their most frequent values.

The columns are counted exactly. Attributes may be anything, so they are found in a sample first:
those with few different values are then counted exactly too, if the search is not very large or
they were asked for by name; the rest are counted in the sample, and say so.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from config.settings import Settings
from storage.budget import Budget
from storage.client import Clickhouse
from storage.language.fields import APP, LOGS, Attribute
from storage.logs.read import TABLE
from storage.logs.sample import Records
from storage.logs.search import LogFilters
from storage.severity import level_name
from storage.sql import Bind, TimeRange, Where
from storage.vocabulary import with_other_names

SAMPLE_RECORDS = 50_000
"""About how many records a search is sampled by; a search of no more is counted exactly."""

FEW_VALUES = 1000
"""Most different values, in the sample, of a field that is counted exactly."""

MANY_RECORDS = 500_000
"""Records of a search from which on unnamed attributes are counted in the sample alone."""

MOST_FIELDS = 50
"""Fields that are given if none are named: those that the most records have."""

VALUE_CHARACTERS = 256
"""Longer values are cut off."""

COLUMNS = {
    "severity": level_name(),
    "service_name": "ServiceName",
    "service_version": "ServiceVersion",
    "client_id": "ClientId",
    "endpoint": "Endpoint",
    "scope_name": "ScopeName",
}
"""Fields that every record has, by the API's names."""

NAMED = with_other_names(COLUMNS)
"""These fields by all of their names."""

_WHOLE = ""
"""The name of a field that every record has, so that a query counts its records too."""

_NO_PAIR = "CAST([], 'Array(Tuple(String, String))')"

_ATTRIBUTES = (
    "mapUpdate(CAST(ResourceAttributes, 'Map(String, String)'), "
    "CAST(LogAttributes, 'Map(String, String)'))"
)
"""The log's own attribute counts before its resource's, as in the filters."""


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value and how many records have it."""

    text: str
    count: int
    truncated: bool
    """Whether it is only the begin of the values that are counted here."""


@dataclass(frozen=True, slots=True)
class Facet:
    """A field and its most frequent values among the records of a search."""

    field: str
    """Its name, as it was asked for: as the filter that a value fits into is called."""
    exact: bool
    """Whether the counts are of all records, not of a sample."""
    records: int
    """Records that have the field; a column that is empty is not there."""
    distinct: int
    """Different values."""
    values: list[FacetValue]
    """The most frequent ones, most frequent first."""


@dataclass(frozen=True, slots=True)
class Facets:
    """The facets of a search, columns first, then the most frequent attributes first."""

    total: int
    """Records of the search."""
    sampled: int
    """Records of the sample; those of the search if no sample was taken."""
    facets: list[Facet]


def is_field(name: str) -> bool:
    """Whether `name` is that of a facet: one of `NAMED`, `app`, or says to be an attribute."""
    return name in NAMED or name == APP or LOGS.attribute(name) is not None


def log_facets(  # noqa: PLR0913, PLR0917 - what is asked for, and where
    clickhouse: Clickhouse,
    settings: Settings,
    filters: LogFilters,
    span: TimeRange,
    fields: Sequence[str],
    values: int,
) -> Facets:
    """The facets of a search.

    Args:
        clickhouse: where the records are.
        settings: the limits of the queries, which share one budget.
        filters: the search.
        span: its time range.
        fields: which fields; none: the columns and the attributes that the most records have.
        values: most values of each.

    Raises:
        QueryRefusedError: the queries are too heavy for their limits.
        UnavailableError: ClickHouse is away.
    """
    records = Records(clickhouse, Budget(settings), filters, span)
    total = records.count()
    if total <= SAMPLE_RECORDS:
        total, found = _counted(records, fields, values, exact=True)
        return Facets(total, total, _in_order(found, fields))
    sample = records.sample(SAMPLE_RECORDS, total)
    sampled, found = _counted(sample, fields, values, exact=False)
    countable = _countable(found, fields, total)
    if countable:
        # Its own total: records may have come since.
        total, exact = _counted(records, countable, values, exact=True)
        found |= exact
    return Facets(max(total, sampled), sampled, _in_order(found, fields))


def _countable(sample: dict[str, Facet], fields: Sequence[str], total: int) -> list[str]:
    names = fields or [*COLUMNS, *(name for name in sample if total <= MANY_RECORDS)]
    return [name for name in names if name not in sample or sample[name].distinct <= FEW_VALUES]


def _in_order(found: dict[str, Facet], fields: Sequence[str]) -> list[Facet]:
    if fields:
        return [found.get(name, Facet(name, True, 0, 0, [])) for name in dict.fromkeys(fields)]
    columns = [found[name] for name in COLUMNS if name in found]
    others = (facet for name, facet in found.items() if name not in COLUMNS)
    return columns + sorted(others, key=lambda facet: (-facet.records, facet.field))


def _counted(
    records: Records, fields: Sequence[str], values: int, *, exact: bool
) -> tuple[int, dict[str, Facet]]:
    """How many records there are, and their facets, at one and the same moment."""
    clause = records.where()
    sql = _ranked(clause, fields, values)
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


def _ranked(clause: Where, fields: Sequence[str], values: int) -> str:
    counted = (
        "SELECT pair.1 AS field, "  # noqa: S608 - bound
        f"leftUTF8(pair.2, {clause.bind(VALUE_CHARACTERS)}) AS value, count() AS records, "
        "max(length(pair.2)) > length(value) AS truncated "
        f"FROM (SELECT arrayJoin({_pairs(fields, clause.bind)}) AS pair "
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


def _pairs(fields: Sequence[str], bind: Bind) -> str:
    """SQL for a record's fields and their values, as an array of pairs; no `fields`: all."""
    names = fields or [*COLUMNS]
    parts = [f"[({bind(_WHOLE)}, '')]", *(_pair(name, bind) for name in dict.fromkeys(names))]
    if not fields:
        pairs = f"CAST({_ATTRIBUTES}, 'Array(Tuple(String, String))')"
        parts.append(f"arrayMap(pair -> (concat('attributes[', pair.1, ']'), pair.2), {pairs})")
    return f"arrayConcat({', '.join(parts)})"


def _pair(name: str, bind: Bind) -> str:
    """SQL for an array of a field's name and value, empty for a record without the field."""
    if name in NAMED:
        return _one(name, NAMED[name], bind)
    attribute = LOGS.named(name)
    if not isinstance(attribute, Attribute):
        raise TypeError(f"{name} is no facet")
    key = bind(attribute.name)
    pair = _one(name, attribute.otherwise.sql, bind) if attribute.otherwise else _NO_PAIR
    for place in reversed(attribute.maps):
        own = f"[({bind(name)}, CAST({place.sql}[{key}], 'String'))]"
        pair = f"if(mapContains({place.sql}, {key}), {own}, {pair})"
    return pair


def _one(name: str, value: str, bind: Bind) -> str:
    return f"if({value} != '', [({bind(name)}, CAST({value}, 'String'))], {_NO_PAIR})"
