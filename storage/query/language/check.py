"""Checks that a field supports a test, before ClickHouse sees the query."""

import pyarrow as pa
import pyarrow.compute as pc

from storage.query.language.fields import ColumnField, FieldType
from storage.query.language.template import expression
from storage.query.language.tree import NUMBER, Comparison, Equals, Exists, Range, Regex, Test
from storage.severity import LEVELS, places_of

_NUMERIC = "This field is a number. Write field:17, field:>=17 or field:[1 TO 17]."
_NO_RANGES = "This field is full text and does not support ranges."
_UNKNOWN_LEVEL = f"Unknown level. Use one of {', '.join(LEVELS).lower()}."
_NO_TEMPLATE = 'Write the template of a pattern in quotes: pattern:"user <*> logged in".'
_TOO_LONG = "This template is too long to search for."
_EMPTY_PHRASE = "An empty phrase matches nothing. To find records without this field: -field:*."


def refusal(comparison: Comparison) -> str:
    """Why a field does not support this test, as a hint for the user; '' if it does."""
    test = comparison.test
    reason = _regex_refusal(test.expression) if isinstance(test, Regex) else ""
    return reason or _column_refusal(comparison)


def _column_refusal(comparison: Comparison) -> str:
    field, test = comparison.field, comparison.test
    kind = field.kind if isinstance(field, ColumnField) else None
    if kind is FieldType.NUMBER:
        return "" if _is_numeric(test) else _NUMERIC
    if kind is FieldType.TEMPLATE:
        return _template_refusal(test)
    if kind is FieldType.WORDS and isinstance(test, Range):
        return _NO_RANGES
    if kind in {FieldType.WORDS, FieldType.LEVEL} and test == Equals(""):
        return _EMPTY_PHRASE
    if kind is FieldType.LEVEL and isinstance(test, Range):
        known = all(any(places_of(bound.value)) for bound in test.bounds)
        return "" if known else _UNKNOWN_LEVEL
    return ""


def _is_numeric(test: Test) -> bool:
    if isinstance(test, Equals):
        return NUMBER.fullmatch(test.value) is not None
    return test.numeric if isinstance(test, Range) else isinstance(test, Exists)


def _template_refusal(test: Test) -> str:
    if not isinstance(test, Equals):
        return _NO_TEMPLATE
    return _TOO_LONG if _regex_refusal(expression(test.value)) else ""


def _regex_refusal(expression: str) -> str:
    """RE2's reason for rejecting an expression, or ''. Arrow and ClickHouse both use RE2."""
    try:
        pc.match_substring_regex(pa.scalar(""), pattern=expression)
    except pa.ArrowInvalid as error:
        return f"Invalid regular expression (RE2 syntax). {error}."
    return ""
