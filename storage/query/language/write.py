"""Writes terms of the search language."""

import re

from storage.query.language.errors import QuerySyntaxError
from storage.query.language.fields import Fields
from storage.query.language.parse import parse
from storage.query.language.tree import Comparison, Equals, Regex, Test

_NEEDS_NO_ESCAPE = re.compile(r"(?:attributes|resource)\[[^\]:]*\]|[A-Za-z_][A-Za-z0-9_.]*")
_IN_EXPRESSION = re.compile(r"[\\/.+*?()|\[\]{}^$]")


def equals(field: str, value: str, fields: Fields) -> str | None:
    """The query for records whose field has this value; None if it cannot be written."""
    text = re.sub(r'[\\"]', r"\\\g<0>", value)
    return _checked(f'{_name(field)}:"{text}"', field, Equals(value), fields)


def matches(field: str, expression: str, fields: Fields) -> str | None:
    """The query for records whose field matches a regular expression; None as :func:`equals`.

    A slash in the expression must be escaped, as :func:`literal` does.
    """
    return _checked(f"{_name(field)}:/{expression}/", field, Regex(expression), fields)


def literal(text: str) -> str:
    """The regular expression that matches just this text."""
    return _IN_EXPRESSION.sub(r"\\\g<0>", text)


def _name(field: str) -> str:
    if _NEEDS_NO_ESCAPE.fullmatch(field):
        return field
    return re.sub(r"[^A-Za-z0-9_.]", r"\\\g<0>", field)


def _checked(text: str, field: str, test: Test, fields: Fields) -> str | None:
    try:
        read = parse(text, fields)
    except QuerySyntaxError:
        return None
    return text if read == Comparison(fields.named(field), test) else None
