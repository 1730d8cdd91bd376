"""Which letters are the same in either case: one table for SQL and for Python.

Letters of ASCII have one other case each, as for ClickHouse's `lower`, with which the index is
built. Beyond ASCII those are the same that small letters, capitals and title case lead to by one
letter each, such as both small sigmas and the capital; not ß and SS. ClickHouse's own functions
know the letters of another version of Unicode, and not all functions the same ones.
"""

from functools import cache

from storage.sql import ascii_lower

_BEYOND_ASCII = range(0x80, 0x20000)
"""What lies above has no case: ideographs, tags and what is for private use."""


def folded(text: str) -> str:
    """A text with each letter replaced by the one that stands for all that are the same."""
    return ascii_lower(text) if text.isascii() else ascii_lower(text.translate(_standing_for()))


def expression(text: str) -> str:
    """A regular expression of RE2's that matches a text, its letters in either case."""
    return "".join(map(_expression_of, text))


@cache
def _expression_of(sign: str) -> str:
    if sign.isascii():
        if not sign.isalpha():
            return rf"\x{ord(sign):02x}"
        return f"[{sign.upper()}{sign.lower()}]"
    same = _same().get(ord(sign), sign)
    return f"[{same}]" if len(same) > 1 else same


@cache
def _standing_for() -> dict[int, str]:
    return {letter: same[0] for letter, same in _same().items()}


@cache
def _same() -> dict[int, str]:
    """All letters beyond ASCII that have another case, each with those that are the same."""
    groups: dict[str, set[str]] = {}
    for number in _BEYOND_ASCII:
        letter = chr(number)
        for case in (letter.lower(), letter.upper(), letter.title()):
            if case != letter and len(case) == 1 and not case.isascii():
                joined = groups.get(letter, {letter}) | groups.get(case, {case})
                groups.update(dict.fromkeys(joined, joined))
    return {ord(letter): "".join(sorted(same)) for letter, same in groups.items()}
