"""Evaluates a query's tree on rows in Python, with exactly the results of the SQL condition.

The live tail filters with it. It takes many rows at once because each call compiles the regular
expressions anew: with RE2, as ClickHouse does, so that none takes more than linear time.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from storage.clickhouse.sql import ascii_lower
from storage.query.language import template
from storage.query.language.fields import (
    Attribute,
    AttributeMap,
    Case,
    ColumnField,
    Field,
    FieldType,
)
from storage.query.language.letters import folded
from storage.query.language.tree import (
    NUMBER,
    And,
    Bound,
    Comparison,
    Contains,
    Equals,
    Exists,
    Like,
    LikePattern,
    Not,
    OneOf,
    Or,
    Query,
    Range,
    Regex,
    SameAttributes,
    Test,
    Wild,
)
from storage.query.language.words import (
    WORD_CHARACTERS,
    begins_with_word,
    ends_with_word,
    ignoring_case,
    spellings,
)
from storage.query.templates.masks import BODY_CHARACTERS
from storage.severity import UNSPECIFIED, is_of, level_of, number_of, place_of, places_of

Row = Mapping[str, Any]
"""A record, with the keys of the table's reader."""

Check = Callable[[Row], bool]

_IN_WORD = f"[{WORD_CHARACTERS}]"
_INFINITY = re.compile(r"[+-]?inf(inity)?", re.ASCII | re.IGNORECASE)


def select(query: Query, rows: Sequence[Row]) -> list[bool]:
    """Whether the query finds each of these rows."""
    match query:
        case And(parts=parts):
            return _narrowed(parts, rows, until=False)
        case Or(parts=parts):
            return _narrowed(parts, rows, until=True)
        case Not(part=part):
            return [not found for found in select(part, rows)]
        case Comparison(field=AttributeMap() as field, test=SameAttributes(pairs=pairs)):
            wanted = dict(pairs)
            return [row[field.key] == wanted for row in rows]
        case Comparison(field=Attribute() | ColumnField() as field, test=test):
            return _compared(field, test, rows)
    raise TypeError(f"{query!r} is not a query")


def _compared(field: Field, test: Test, rows: Sequence[Row]) -> list[bool]:
    if isinstance(test, Regex):
        return _regex(field, test, rows)
    if isinstance(field, ColumnField) and field.kind is FieldType.TEMPLATE:
        return _template(field, test, rows)
    holds = _holds(field, test)
    return [holds(row) for row in rows]


def _narrowed(parts: Sequence[Query], rows: Sequence[Row], *, until: bool) -> list[bool]:
    """Evaluate each part only on the rows that the parts before it left undecided."""
    answers = [not until] * len(rows)
    open_rows = list(range(len(rows)))
    for part in parts:
        found = select(part, [rows[place] for place in open_rows])
        for place, answer in zip(open_rows, found, strict=True):
            if answer is until:
                answers[place] = until
        open_rows = [
            place for place, answer in zip(open_rows, found, strict=True) if answer is not until
        ]
    return answers


def _regex(field: Field, test: Regex, rows: Sequence[Row]) -> list[bool]:
    ignored = isinstance(field, ColumnField) and _ignores_case(field)
    flags = "(?si)" if ignored else "(?s)"
    if isinstance(field, ColumnField) and field.kind is FieldType.LEVEL:
        texts = [_level_texts(row) for row in rows]
        columns = [[pair and pair[place] for pair in texts] for place in (0, 1)]
    else:
        columns = [[_text_in(field, row) for row in rows]]
    found = [_matches(column, flags + test.expression) for column in columns]
    return [any(answers) for answers in zip(*found, strict=True)]


def _template(column: ColumnField, test: Test, rows: Sequence[Row]) -> list[bool]:
    match test:
        case Equals(value=text):
            bodies = [row[column.key][:BODY_CHARACTERS] for row in rows]
            return _matches(bodies, template.expression(text))
    raise TypeError(f"{test!r} is not a template")


def _matches(texts: Sequence[str | None], expression: str) -> list[bool]:
    found = pc.match_substring_regex(pa.array(texts, pa.string()), pattern=expression)
    return [answer is True for answer in found.to_pylist()]


@lru_cache(maxsize=1024)
def _holds(field: Field, test: Test) -> Check:
    """A check of rows for a test of a field."""
    if isinstance(field, Attribute):
        return _of_text(field, (lambda _: True) if isinstance(test, Exists) else _text(test))
    if field.kind in _OF_KIND:
        return _OF_KIND[field.kind](field, test)
    if isinstance(test, Exists):
        return _of_text(field, bool)
    if field.kind is FieldType.WORDS:
        return _of_text(field, _words(test))
    return _of_text(field, _text(ignoring_case(test) if _ignores_case(field) else test))


def _of_text(field: Field, check: Callable[[str], bool]) -> Check:
    def holds(row: Row) -> bool:
        text = _text_in(field, row)
        return text is not None and check(text)

    return holds


def _text_in(field: Field, row: Row) -> str | None:
    """A field's text in a row, None if the row has none."""
    if isinstance(field, Attribute):
        maps = (row[column.key] for column in field.maps)
        found = next((texts[field.name] for texts in maps if field.name in texts), None)
        if found is None and field.otherwise is not None:
            return row[field.otherwise.key] or None
        return found
    text: str = row[field.key]
    return ascii_lower(text) if field.case is Case.IGNORED else text


def _ignores_case(column: ColumnField) -> bool:
    return column.kind is FieldType.LEVEL or column.case is not Case.MATTERS


def _text(test: Test) -> Callable[[str], bool]:
    match test:
        case Equals(value=wanted):
            return lambda text: text == wanted
        case Like(pattern=pattern):
            fits = re.compile(_python(pattern, "."), re.DOTALL)
            return lambda text: fits.fullmatch(text) is not None
        case Range(numeric=True):
            return lambda text: _between(test, _as_number(text), _as_number)
        case Range():
            return lambda text: _between(test, text, str)
    raise TypeError(f"{test!r} does not apply to a text")


def _contains(wanted: str) -> Callable[[str], bool]:
    if wanted.isascii():
        lowered = wanted.lower()
        return lambda text: lowered in ascii_lower(text)
    folded_once = folded(wanted)
    return lambda text: folded_once in folded(text)


def _words(test: Test) -> Callable[[str], bool]:
    if isinstance(test, Contains):
        return _contains(test.text)
    if not isinstance(test, Equals | Like):
        raise TypeError(f"{test!r} does not apply to words")
    pattern = (test.value,) if isinstance(test, Equals) else test.pattern
    # Most texts lack the longest piece, and a plain search rules them out faster than a regex.
    checks = [(_longest(each), re.compile(_as_words(each))) for each in spellings(pattern)]

    def holds(text: str) -> bool:
        lowered = ascii_lower(text)
        return any(piece in lowered and fits.search(lowered) for piece, fits in checks)

    return holds


def _longest(pattern: LikePattern) -> str:
    return max((piece for piece in pattern if isinstance(piece, str)), key=len, default="")


def _as_words(pattern: LikePattern) -> str:
    after = f"(?!{_IN_WORD})" if ends_with_word(pattern) else ""
    if pattern[0] is Wild.ANY and pattern.count(Wild.ANY) == 1:
        pattern = pattern[1:]
        return f"{_python(pattern, _IN_WORD)}{after}"
    # With several wildcards, the search is linear only if it starts at the start of a word.
    before = f"(?<!{_IN_WORD})" if pattern[0] is Wild.ANY or begins_with_word(pattern) else ""
    return f"{before}{_python(pattern, _IN_WORD)}{after}"


def _python(pattern: LikePattern, one: str) -> str:
    """A pattern as a Python regular expression.

    Only the last `*` needs to backtrack: for the others, the first match of what follows is as
    good as any later one.
    """
    parts = [""]
    for piece in pattern:
        if piece is Wild.ANY:
            parts.append("")
        else:
            parts[-1] += re.escape(piece) if isinstance(piece, str) else one
    if len(parts) == 1:
        return parts[0]
    first, *middle, last = parts
    return first + "".join(f"(?>{one}*?{part})" for part in middle) + f"{one}*{last}"


def _number(column: ColumnField, test: Test) -> Check:
    def scaled(text: str) -> float:
        return float(text) * column.unit

    match test:
        case Equals(value=text):
            return lambda row: row[column.key] == scaled(text)
        case Range():
            return lambda row: _between(test, row[column.key], scaled)
    return lambda row: row[column.key] != 0


def _level(_column: ColumnField, test: Test) -> Check:
    match test:
        case Equals(value=text):
            return lambda row: is_of([text], row["severity_text"], row["severity_number"])
        case OneOf(values=texts):
            return lambda row: is_of(texts, row["severity_text"], row["severity_number"])
        case Range():
            return lambda row: _place(row) != 0 and _between(test, _place(row), _place_of)
        case Exists():
            return lambda row: _level_texts(row) is not None
    fits = _text(ignoring_case(test))
    return lambda row: any(map(fits, _level_texts(row) or ()))


def _severity(_column: ColumnField, test: Test) -> Check:
    match test:
        case Range(low=Bound(value=number, included=True), high=None):
            least = int(number)
            return lambda row: number_of(row["severity_text"], row["severity_number"]) >= least
    raise TypeError(f"{test!r} is not a minimum severity")


_OF_KIND: dict[FieldType, Callable[[ColumnField, Test], Check]] = {
    FieldType.NUMBER: _number,
    FieldType.LEVEL: _level,
    FieldType.SEVERITY: _severity,
}


def _level_texts(row: Row) -> tuple[str, str] | None:
    """A record's level and severity text, in lower case; None if it has no level."""
    text: str = row["severity_text"]
    name = level_of(text, row["severity_number"])
    return None if name == UNSPECIFIED else (ascii_lower(name), ascii_lower(text))


def _place(row: Row) -> int:
    return place_of(row["severity_text"], row["severity_number"])


def _place_of(level: str) -> int:
    return places_of(level)[0]


def _as_number(text: str) -> float:
    """As ClickHouse's `toFloat64OrNull`, with NaN for NULL, so that no comparison holds."""
    return float(text) if NUMBER.fullmatch(text) or _INFINITY.fullmatch(text) else math.nan


def _between(test: Range, value: Any, read: Callable[[str], Any]) -> bool:  # noqa: ANN401 - of any order
    low, high = test.low, test.high
    above = low is None or _is_above(value, read(low.value), low)
    return above and (high is None or _is_above(read(high.value), value, high))


def _is_above(greater: Any, lesser: Any, bound: Bound) -> bool:  # noqa: ANN401 - of any order
    return bool(greater >= lesser if bound.included else greater > lesser)
