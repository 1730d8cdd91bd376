"""Facets: the fields of a search's records and their most frequent values.

Columns are counted exactly. Attributes are first found in a sample. Those with few distinct values
are then counted exactly as well, unless the search is very large and they were not requested by
name. The others are counted in the sample and marked as not exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from config.settings import Settings
from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.sql import Bind, Where
from storage.query.language.fields import APP, LOGS, Attribute
from storage.query.logs.read import TABLE
from storage.query.logs.sample import Records
from storage.query.logs.search import LogFilters
from storage.query.vocabulary import with_other_names
from storage.severity import level_name
from storage.time_range import TimeRange

SAMPLE_RECORDS = 50_000
"""Approximate size of a sample, in records; a smaller search is counted exactly."""

FEW_VALUES = 1000
"""Distinct values in the sample up to which a field is counted exactly."""

MANY_RECORDS = 500_000
"""Records in a search above which unnamed attributes are counted in the sample only."""

MOST_FIELDS = 50
"""Attributes returned if no fields are named: those that most records have."""

VALUE_CHARACTERS = 256
"""Longer values are truncated."""

COLUMNS = {
    "severity": level_name(),
    "service_name": "ServiceName",
    "service_version": "ServiceVersion",
    "client_id": "ClientId",
    "endpoint": "Endpoint",
    "scope_name": "ScopeName",
}
"""SQL of the fields that are columns, by the API's names."""

NAMED = with_other_names(COLUMNS)
"""The same by all names and aliases."""

_WHOLE = ""
"""A pseudo-field of every record, by which the query counts the records."""

_NO_PAIR = "CAST([], 'Array(Tuple(String, String))')"

_ATTRIBUTES = (
    "mapUpdate(CAST(ResourceAttributes, 'Map(String, String)'), "
    "CAST(LogAttributes, 'Map(String, String)'))"
)
"""The log attribute takes precedence over the resource's, as in the filters."""


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value and how many records have it."""

    text: str
    count: int
    truncated: bool
    """Whether `text` is only the start of the counted values."""


@dataclass(frozen=True, slots=True)
class Facet:
    """A field and its most frequent values."""

    field: str
    """Its name as requested, which is also the name of the filter for its values."""
    exact: bool
    """Whether all records were counted, not a sample."""
    records: int
    """Records that have the field; an empty column counts as missing."""
    distinct: int
    """Number of distinct values."""
    values: list[FacetValue]
    """Most frequent first."""


@dataclass(frozen=True, slots=True)
class Facets:
    """The facets of a search: columns, then attributes by frequency."""

    total: int
    """Records in the search."""
    sampled: int
    """Records in the sample; equals `total` if no sample was taken."""
    facets: list[Facet]


def is_field(name: str) -> bool:
    """Whether `name` is a facet: in `NAMED`, `app`, or an attribute such as `resource.x`."""
    return name in NAMED or name == APP or LOGS.attribute(name) is not None


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
        fields: which fields; if empty, the columns and the most frequent attributes.
        values: maximum number of values per field.

    Raises:
        QueryRefusedError: the queries are too heavy for their limits.
        UnavailableError: ClickHouse is away.
    """
    records = Records(clickhouse, Budget(settings), filters, time_range)
    total = records.count()
    if total <= SAMPLE_RECORDS:
        total, found = _counted(records, fields, values, exact=True)
        return Facets(total, total, _in_order(found, fields))
    sample = records.sample(SAMPLE_RECORDS, total)
    sampled, found = _counted(sample, fields, values, exact=False)
    countable = _countable(found, fields, total)
    if countable:
        # With a new total: more records may have arrived.
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
    """The number of records and their facets, from one query so that they agree."""
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
    """SQL for a record's fields and values as an array of pairs; without `fields`, of all."""
    names = fields or [*COLUMNS]
    parts = [f"[({bind(_WHOLE)}, '')]", *(_pair(name, bind) for name in dict.fromkeys(names))]
    if not fields:
        pairs = f"CAST({_ATTRIBUTES}, 'Array(Tuple(String, String))')"
        parts.append(f"arrayMap(pair -> (concat('attributes[', pair.1, ']'), pair.2), {pairs})")
    return f"arrayConcat({', '.join(parts)})"


def _pair(name: str, bind: Bind) -> str:
    """SQL for an array with the field's name and value, empty if the record lacks the field."""
    if name in NAMED:
        return _one(name, NAMED[name], bind)
    attribute = LOGS.named(name)
    if not isinstance(attribute, Attribute):
        raise TypeError(f"{name} is not a facet")
    key = bind(attribute.name)
    pair = _one(name, attribute.otherwise.sql, bind) if attribute.otherwise else _NO_PAIR
    for column in reversed(attribute.maps):
        found = f"[({bind(name)}, CAST({column.sql}[{key}], 'String'))]"
        pair = f"if(mapContains({column.sql}, {key}), {found}, {pair})"
    return pair


def _one(name: str, value: str, bind: Bind) -> str:
    return f"if({value} != '', [({bind(name)}, CAST({value}, 'String'))], {_NO_PAIR})"
