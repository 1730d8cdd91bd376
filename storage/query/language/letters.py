"""Case folding, the same in SQL and in Python.

ASCII letters fold as in ClickHouse's `lower`, which the index is built with. Beyond ASCII, letters
are equal if single-letter lower, upper or title case maps one to the other: both small sigmas and
the capital, but not ß and SS. ClickHouse's own functions use another version of Unicode, and do not
agree with each other.
"""

from functools import cache

from storage.clickhouse.sql import ascii_lower
from storage.query.escaping import escaped

_BEYOND_ASCII = range(0x80, 0x20000)
"""Code points above have no case: ideographs, tags and private use."""


def folded(text: str) -> str:
    """The text with each letter replaced by the representative of its case group."""
    return ascii_lower(text) if text.isascii() else ascii_lower(text.translate(_representatives()))


def expression(text: str) -> str:
    """An RE2 expression that matches a text in any case."""
    return "".join(map(_expression_of, text))


@cache
def _expression_of(character: str) -> str:
    if character.isascii():
        if not character.isalpha():
            return escaped(character)
        return f"[{character.upper()}{character.lower()}]"
    group = _case_groups().get(ord(character), character)
    return f"[{group}]" if len(group) > 1 else group


@cache
def _representatives() -> dict[int, str]:
    return {letter: group[0] for letter, group in _case_groups().items()}


@cache
def _case_groups() -> dict[int, str]:
    """Each letter beyond ASCII that has another case, and all letters equal to it."""
    groups: dict[str, set[str]] = {}
    for number in _BEYOND_ASCII:
        letter = chr(number)
        for case in (letter.lower(), letter.upper(), letter.title()):
            if case != letter and len(case) == 1 and not case.isascii():
                joined = groups.get(letter, {letter}) | groups.get(case, {case})
                groups.update(dict.fromkeys(joined, joined))
    return {ord(letter): "".join(sorted(group)) for letter, group in groups.items()}
