"""A query's tree evaluated on rows in Python: it holds exactly where the condition in SQL does.

The live tail filters with it. It takes rows by the many, because a regular expression is compiled
once a call: by RE2 like ClickHouse's, so that no expression takes more than linear time.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from storage.language.fields import Attribute, Case, Column, Field, Kind
from storage.language.tree import (
    NUMBER,
    And,
    Bound,
    Comparison,
    Equals,
    Exists,
    Like,
    Not,
    Or,
    Pattern,
    Query,
    Range,
    Regex,
    Test,
    Wild,
)
from storage.language.words import (
    WORD_CHARACTERS,
    begins_with_word,
    ends_with_word,
    ignoring_case,
    spellings,
)
from storage.severity import UNSPECIFIED, is_of, level_of, place_of, places_of
from storage.sql import ascii_lower

Row = Mapping[str, Any]
"""A record by the keys of its reader's rows."""

Check = Callable[[Row], bool]

_IN_WORD = f"[{WORD_CHARACTERS}]"
_INFINITY = re.compile(r"[+-]?inf(inity)?", re.ASCII | re.IGNORECASE)


def select(query: Query, rows: Sequence[Row]) -> list[bool]:
    """Which of some records a query finds, in their order."""
    match query:
        case And(parts=parts):
            return _narrowed(parts, rows, until=False)
        case Or(parts=parts):
            return _narrowed(parts, rows, until=True)
        case Not(part=part):
            return [not found for found in select(part, rows)]
        case Comparison(field=field, test=Regex() as test):
            return _regex(field, test, rows)
        case Comparison(field=field, test=test):
            holds = _holds(field, test)
            return [holds(row) for row in rows]
    raise TypeError(f"{query!r} is no query")


def _narrowed(parts: Sequence[Query], rows: Sequence[Row], *, until: bool) -> list[bool]:
    """Ask each part only about the rows that the parts before it left open."""
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
    ignored = isinstance(field, Column) and _ignores_case(field)
    flags = "(?si)" if ignored else "(?s)"
    if isinstance(field, Column) and field.kind is Kind.LEVEL:
        texts = [_level_texts(row) for row in rows]
        ways = [[pair and pair[place] for pair in texts] for place in (0, 1)]
    else:
        ways = [[_text_in(field, row) for row in rows]]
    found = [_matches(way, flags + test.expression) for way in ways]
    return [any(answers) for answers in zip(*found, strict=True)]


def _matches(texts: Sequence[str | None], expression: str) -> list[bool]:
    found = pc.match_substring_regex(pa.array(texts, pa.string()), pattern=expression)
    return [answer is True for answer in found.to_pylist()]


@lru_cache(maxsize=1024)
def _holds(field: Field, test: Test) -> Check:
    """A test of a field as a check of rows."""
    if isinstance(field, Attribute):
        return _of_text(field, (lambda _: True) if isinstance(test, Exists) else _text(test))
    if field.kind is Kind.NUMBER:
        return _number(field, test)
    if field.kind is Kind.LEVEL:
        return _level(test)
    if isinstance(test, Exists):
        return _of_text(field, bool)
    if field.kind is Kind.WORDS:
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
        held = (row[place.key] for place in field.maps)
        found = next((texts[field.name] for texts in held if field.name in texts), None)
        if found is None and field.otherwise is not None:
            return row[field.otherwise.key] or None
        return found
    text: str = row[field.key]
    return ascii_lower(text) if field.case is Case.IGNORED else text


def _ignores_case(column: Column) -> bool:
    return column.kind is Kind.LEVEL or column.case is not Case.MATTERS


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
    raise TypeError(f"{test!r} is no test of a text")


def _words(test: Test) -> Callable[[str], bool]:
    if not isinstance(test, Equals | Like):
        raise TypeError(f"{test!r} is no test of words")
    pattern = (test.value,) if isinstance(test, Equals) else test.pattern
    # Most texts lack the longest piece, which a plain search tells faster than an expression.
    ways = [(_longest(way), re.compile(_as_words(way))) for way in spellings(pattern)]

    def holds(text: str) -> bool:
        lowered = ascii_lower(text)
        return any(piece in lowered and fits.search(lowered) for piece, fits in ways)

    return holds


def _longest(pattern: Pattern) -> str:
    return max((piece for piece in pattern if isinstance(piece, str)), key=len, default="")


def _as_words(pattern: Pattern) -> str:
    after = f"(?!{_IN_WORD})" if ends_with_word(pattern) else ""
    if pattern[0] is Wild.ANY and pattern.count(Wild.ANY) == 1:
        pattern = pattern[1:]
        return f"{_python(pattern, _IN_WORD)}{after}"
    # With more of them the search is linear only if each begins where a word begins.
    before = f"(?<!{_IN_WORD})" if pattern[0] is Wild.ANY or begins_with_word(pattern) else ""
    return f"{before}{_python(pattern, _IN_WORD)}{after}"


def _python(pattern: Pattern, one: str) -> str:
    """A pattern as a regular expression of Python's.

    Only the last wildcard for any characters may have to try again: for the others, the first
    place where what follows them fits is as good as any later one.
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


def _number(column: Column, test: Test) -> Check:
    def scaled(text: str) -> float:
        return float(text) * column.unit

    match test:
        case Equals(value=text):
            return lambda row: row[column.key] == scaled(text)
        case Range():
            return lambda row: _between(test, row[column.key], scaled)
    return lambda row: row[column.key] != 0


def _level(test: Test) -> Check:
    match test:
        case Equals(value=text):
            return lambda row: is_of([text], row["severity_text"], row["severity_number"])
        case Range():
            return lambda row: _place(row) != 0 and _between(test, _place(row), _place_of)
        case Exists():
            return lambda row: _level_texts(row) is not None
    fits = _text(ignoring_case(test))
    return lambda row: any(map(fits, _level_texts(row) or ()))


def _level_texts(row: Row) -> tuple[str, str] | None:
    """A record's level and its own text for it, in lower case; None if it has no level."""
    text: str = row["severity_text"]
    name = level_of(text, row["severity_number"])
    return None if name == UNSPECIFIED else (ascii_lower(name), ascii_lower(text))


def _place(row: Row) -> int:
    return place_of(row["severity_text"], row["severity_number"])


def _place_of(level: str) -> int:
    return places_of(level)[0]


def _as_number(text: str) -> float:
    """What ClickHouse's `toFloat64OrNull` reads; NaN, with which no comparison holds, for NULL."""
    return float(text) if NUMBER.fullmatch(text) or _INFINITY.fullmatch(text) else math.nan


def _between(test: Range, value: Any, read: Callable[[str], Any]) -> bool:  # noqa: ANN401 - of any order
    low, high = test.low, test.high
    above = low is None or _is_above(value, read(low.value), low)
    return above and (high is None or _is_above(read(high.value), value, high))


def _is_above(greater: Any, lesser: Any, bound: Bound) -> bool:  # noqa: ANN401 - of any order
    return bool(greater >= lesser if bound.included else greater > lesser)
