"""Counts of both sides by field and value, each kind of value with one scan."""

from dataclasses import dataclass, replace

from storage.clickhouse.budget import Budget
from storage.clickhouse.client import Clickhouse, Row
from storage.clickhouse.sql import Bind
from storage.query.changes.score import Side
from storage.query.changes.sides import Counted, Sample, Sides
from storage.query.changes.subject import PATTERN, Subject
from storage.query.logs.facet_counts import VALUE_CHARACTERS
from storage.query.logs.patterns import masked
from storage.query.templates.masks import BODY_CHARACTERS

MOST_VALUES = 1000
"""Values of a field that are compared: those with the largest share of a side."""

MOST_ROWS = 20_000
"""Values of all fields that are compared, of each kind of count."""

LEAST_RECORDS = 2
"""Records below which a value is not compared; chance explains it whatever the sides are."""

# No field has this name, since names are UTF-8. It counts all records.
_WHOLE = "char(255)"
_WHOLE_READ = b"\xff"

_SELECTION, _BASELINE = 3, 4
"""Places of the counts in a row; their squares are two places further."""

_NOTHING: Row = (_WHOLE_READ, "", 0, 0, 0, 0, 0, 0, 0)
"""The row of all records if there are none."""

_CUT = "\0"
"""Ends the template of a body of which only the beginning was read."""


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a field, and how many records of each side have it."""

    field: str
    text: str | bytes
    """At most `VALUE_CHARACTERS` of it, or bytes if it is not UTF-8."""
    is_truncated: bool
    selection: Side
    baseline: Side
    first_ns: int
    """Time of the oldest counted record that has it."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The values of some fields, and how many records were counted."""

    selection: int
    baseline: int
    compared: int
    """Number of values that `LEAST_RECORDS` records have."""
    values: list[Value]


def count_columns(
    clickhouse: Clickhouse, budget: Budget, subject: Subject, sides: Sides, sample: Sample
) -> Counts:
    """Counts of the columns' values; an empty text is no value."""
    counted = sides.counted(sample)
    names = [*(counted.where.bind(name) for name in subject.columns), _WHOLE]
    texts = [*(f"toString({sql})" for sql in subject.columns.values()), "''"]
    keys = ", ".join(subject.keys)
    grouped = (
        f"SELECT {counted.is_selected} AS selected, {counted.run} AS run, {keys}, "  # noqa: S608 - bound
        f"count() AS records, min(Timestamp) AS first FROM {subject.table} "
        f"WHERE {counted.where.sql} GROUP BY selected, run, {keys}"
    )
    pairs = _pairs(grouped, f"[{', '.join(names)}]", f"[{', '.join(texts)}]")
    pairs += f" WHERE value != '' OR field = {_WHOLE}"
    return _read(clickhouse, budget, counted, pairs, "{}")


def count_resources(
    clickhouse: Clickhouse, budget: Budget, subject: Subject, sides: Sides, sample: Sample
) -> Counts:
    """Counts of the values of the resources' attributes."""
    counted, column = sides.counted(sample), subject.fields.resource.sql
    grouped = (
        f"SELECT {counted.is_selected} AS selected, {counted.run} AS run, "  # noqa: S608 - bound
        f"any({column}) AS attributes, count() AS records, min(Timestamp) AS first "
        f"FROM {subject.table} WHERE {counted.where.sql} "
        f"GROUP BY selected, run, cityHash64({column})"
    )
    return _read(clickhouse, budget, counted, _attribute_pairs(grouped), "resource[{}]")


def count_attributes(
    clickhouse: Clickhouse, budget: Budget, subject: Subject, sides: Sides, sample: Sample
) -> Counts:
    """Counts of the values of the records' own attributes."""
    counted, column = sides.counted(sample), subject.fields.own.sql
    rows = (
        f"SELECT {counted.is_selected} AS selected, {counted.run} AS run, {column} AS attributes, "  # noqa: S608 - bound
        f"1 AS records, Timestamp AS first FROM {subject.table} WHERE {counted.where.sql}"
    )
    return _read(clickhouse, budget, counted, _attribute_pairs(rows), "attributes[{}]")


def count_patterns(
    clickhouse: Clickhouse, budget: Budget, subject: Subject, sides: Sides, sample: Sample
) -> Counts:
    """Counts of the templates of bodies."""
    counted = sides.counted(sample)
    bind = counted.where.bind
    cut = f"if(lengthUTF8(plain) >= {bind(BODY_CHARACTERS)}, {bind(_CUT)}, '')"
    # No mask distinguishes digits, so few bodies are left for the masks.
    plain = (
        f"SELECT {counted.is_selected} AS selected, {counted.run} AS run, "  # noqa: S608 - bound
        f"translate(leftUTF8({subject.text}, {bind(BODY_CHARACTERS)}), '123456789', '000000000') "
        "AS plain, count() AS records, min(Timestamp) AS first "
        f"FROM {subject.table} WHERE {counted.where.sql} GROUP BY selected, run, plain"
    )
    template = f"concat({masked('plain', bind)}, {cut})"
    pairs = _pairs(plain, f"[{bind(PATTERN)}, {_WHOLE}]", f"[{template}, '']")
    found = _read(clickhouse, budget, counted, pairs, "{}", 2 * BODY_CHARACTERS)
    return replace(found, values=[_without_mark(value) for value in found.values])


def _without_mark(value: Value) -> Value:
    if isinstance(value.text, bytes) or not value.text.endswith(_CUT):
        return value
    return replace(value, text=value.text.removesuffix(_CUT), is_truncated=True)


def _attribute_pairs(rows: str) -> str:
    fields = f"arrayPushBack(mapKeys(attributes), {_WHOLE})"
    return _pairs(rows, fields, "arrayPushBack(mapValues(attributes), '')")


def _pairs(rows: str, fields: str, values: str) -> str:
    """SQL that makes a row of each field; `fields` and `values` are SQL for arrays."""
    return (
        "SELECT selected, run, records, first, field, value "  # noqa: S608 - bound
        f"FROM ({rows}) ARRAY JOIN {fields} AS field, {values} AS value"
    )


def _read(  # noqa: PLR0913, PLR0917 - what all kinds of values have in common
    clickhouse: Clickhouse,
    budget: Budget,
    counted: Counted,
    pairs: str,
    name: str,
    most_characters: int = VALUE_CHARACTERS,
) -> Counts:
    """Count the rows of `pairs`: field, value, selected, run, records, first."""
    clause = counted.where
    sql = _ranked(_by_value(pairs, in_runs=counted.run != "0"), most_characters, clause.bind)
    rows = clickhouse.query(sql, clause.params, budget.limits())
    [whole] = [row for row in rows if row[0] == _WHOLE_READ] or [_NOTHING]
    values = [_value(row, whole, name) for row in rows if row is not whole]
    return Counts(whole[_SELECTION], whole[_BASELINE], max(0, whole[-1] - 1), values)


def _value(row: Row, whole: Row, name: str) -> Value:
    field, text, is_long, selection, baseline, squares, other_squares, first, _ = row
    key = field if isinstance(field, str) else field.decode(errors="replace")
    return Value(
        name.replace("{}", key),
        text,
        bool(is_long),
        Side(selection, whole[_SELECTION], squares, whole[_SELECTION + 2]),
        Side(baseline, whole[_BASELINE], other_squares, whole[_BASELINE + 2]),
        first,
    )


def _by_value(pairs: str, *, in_runs: bool) -> str:
    counts = (
        "SELECT field, value, sumIf(records, selected) AS selection, "
        "sumIf(records, NOT selected) AS baseline, min(first) AS oldest"
    )
    if not in_runs:
        return (
            f"{counts}, toUInt64(0) AS squares, toUInt64(0) AS other_squares FROM ({pairs}) "
            f"GROUP BY field, value HAVING selection + baseline >= {LEAST_RECORDS}"
        )
    runs = f"{counts}, run FROM ({pairs}) GROUP BY field, value, run"
    return (
        "SELECT field, value, sum(r.selection) AS selection, sum(r.baseline) AS baseline, "  # noqa: S608 - no values
        "min(r.oldest) AS oldest, sum(r.selection * r.selection) AS squares, "
        f"sum(r.baseline * r.baseline) AS other_squares FROM ({runs}) AS r "
        f"GROUP BY field, value HAVING selection + baseline >= {LEAST_RECORDS}"
    )


def _ranked(values: str, most_characters: int, bind: Bind) -> str:
    """SQL for the values with the largest shares, cut to `most_characters`."""
    shares = (
        f"SELECT *, count() OVER () AS compared, max(selection) OVER () AS selected, "  # noqa: S608 - bound
        f"max(baseline) OVER () AS others FROM ({values})"
    )
    characters = bind(most_characters)
    return (
        f"SELECT field, leftUTF8(value, {characters}) AS text, "  # noqa: S608 - bound
        f"lengthUTF8(value) > {characters} AS is_long, selection, baseline, squares, "
        f"other_squares, toUnixTimestamp64Nano(oldest), compared FROM ({shares}) "
        "ORDER BY greatest(selection / greatest(selected, 1), baseline / greatest(others, 1)) "
        f"DESC, field, value LIMIT {bind(MOST_VALUES)} BY field LIMIT {bind(MOST_ROWS)}"
    )
