"""What a field can be asked, before ClickHouse is."""

import pyarrow as pa
import pyarrow.compute as pc

from storage.language.fields import Column, Kind
from storage.language.tree import NUMBER, Comparison, Equals, Exists, Range, Regex, Test
from storage.severity import LEVELS, places_of

_A_NUMBER = "This field is a number: write field:17, field:>=17 or field:[1 TO 17]."
_A_TEXT = "Words are looked for in this field; it has no order that a range could use."
_A_LEVEL = f"A level is one of {', '.join(LEVELS).lower()}."
_NOTHING = "An empty phrase finds nothing. For records without this field write -field:*."


def refusal(comparison: Comparison) -> str:
    """Why a field cannot be asked this, as a hint to the one who asks; '' if it can."""
    test = comparison.test
    reason = _regex_refusal(test.expression) if isinstance(test, Regex) else ""
    return reason or _column_refusal(comparison)


def _column_refusal(comparison: Comparison) -> str:
    field, test = comparison.field, comparison.test
    kind = field.kind if isinstance(field, Column) else None
    if kind is Kind.NUMBER:
        return "" if _is_numeric(test) else _A_NUMBER
    if kind is Kind.WORDS and isinstance(test, Range):
        return _A_TEXT
    if kind in {Kind.WORDS, Kind.LEVEL} and test == Equals(""):
        return _NOTHING
    if kind is Kind.LEVEL and isinstance(test, Range):
        known = all(any(places_of(bound.value)) for bound in test.bounds)
        return "" if known else _A_LEVEL
    return ""


def _is_numeric(test: Test) -> bool:
    if isinstance(test, Equals):
        return NUMBER.fullmatch(test.value) is not None
    return test.numeric if isinstance(test, Range) else isinstance(test, Exists)


def _regex_refusal(expression: str) -> str:
    """Why RE2 refuses an expression, '' if it does not. Arrow and ClickHouse both use RE2."""
    try:
        pc.match_substring_regex(pa.scalar(""), pattern=expression)
    except pa.ArrowInvalid as error:
        return f"This is no regular expression that RE2 knows. {error}."
    return ""
