"""Counts the values of named fields of log records in one pass over them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from storage.clickhouse.sql import Bind
from storage.query.field_values import value_or_null
from storage.query.language.fields import APP, LOGS
from storage.query.logs.read import TABLE
from storage.query.logs.sample import Records
from storage.query.vocabulary import with_other_names
from storage.severity import level_name

MOST_VALUES = 1_000_000
"""Distinct values, of all fields together, that a count keeps in memory."""

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


def is_field(name: str) -> bool:
    """Whether `name` is a facet: in `NAMED`, `app`, or an attribute such as `resource.x`."""
    return name in NAMED or name == APP or LOGS.attribute(name) is not None


def count_fields(
    records: Records, fields: Sequence[str], values: int, *, exact: bool
) -> tuple[int, dict[str, Facet]]:
    """The number of records and their facets, from one query so that they agree.

    Each field is grouped by itself (GROUPING SETS), so its column keeps its dictionary and no pair
    of name and value is made for each record.

    Args:
        records: the records, or a sample of them.
        fields: names of facets, see `is_field`.
        values: maximum number of values per field.
        exact: what the facets say they are. If so, at most `MOST_VALUES` are kept in memory.

    Raises:
        QueryRefusedError: with the code `TOO_MANY_ROWS` if exact facets have too many distinct
            values; or the query is too heavy for its limits.
        UnavailableError: ClickHouse is away.
    """
    names = list(dict.fromkeys(fields))
    clause = records.where()
    sql = _counts(names, clause.sql, values, clause.bind)
    facets = {name: Facet(name, exact, 0, 0, []) for name in names}
    total = 0
    limits = records.budget.limits() | (_most_values(len(names)) if exact else {})
    for place, value, count, present, distinct, truncated in records.clickhouse.query(
        sql, clause.params, limits
    ):
        if place == 0:
            total = count
            continue
        name = names[place - 1]
        kept = facets[name].values
        kept.append(FacetValue(value, count, bool(truncated)))
        facets[name] = Facet(name, exact, present, distinct, kept)
    return total, facets


def _most_values(fields: int) -> dict[str, Any]:
    return {"max_rows_to_group_by": MOST_VALUES // fields, "group_by_overflow_mode": "throw"}


def _counts(names: Sequence[str], condition: str, values: int, bind: Bind) -> str:
    fields = [f"f{place}" for place in range(len(names))]
    most = bind(VALUE_CHARACTERS)
    # One character more than is returned tells whether a value is truncated.
    columns = ", ".join(
        f"leftUTF8({field_value(name, bind)}, {bind(VALUE_CHARACTERS + 1)}) AS {field}"
        for name, field in zip(names, fields, strict=True)
    )
    is_grouped = ", ".join(f"grouping({field}) = 0" for field in fields)
    texts = ", ".join(f"CAST({field}, 'Nullable(String)')" for field in fields)
    sets = ", ".join(f"({field})" for field in fields)
    grouped = (
        f"SELECT indexOf([{is_grouped}], 1) AS place, "  # noqa: S608 - bound
        f"if(place = 0, '', [{texts}][place]) AS text, count() AS found "
        f"FROM (SELECT {columns} FROM {TABLE} WHERE {condition}) "
        f"GROUP BY GROUPING SETS ({sets}, ())"
    )
    counted = (
        f"SELECT place, leftUTF8(assumeNotNull(text), {most}) AS value, sum(found) AS records, "  # noqa: S608 - bound
        f"max(lengthUTF8(assumeNotNull(text)) > {most}) AS truncated "
        f"FROM ({grouped}) WHERE text IS NOT NULL GROUP BY place, value"
    )
    return (
        "SELECT place, value, records, sum(records) OVER (PARTITION BY place), "  # noqa: S608 - bound
        f"count() OVER (PARTITION BY place), truncated FROM ({counted}) "
        f"ORDER BY place, records DESC, value LIMIT {bind(values)} BY place"
    )


def field_value(name: str, bind: Bind) -> str:
    """SQL for a record's value of a field, NULL if the record lacks it."""
    return f"nullIf({NAMED[name]}, '')" if name in NAMED else value_or_null(LOGS.named(name), bind)
