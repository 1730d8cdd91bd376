"""Texts that hold signs of the language and mean themselves: addresses, times, URLs, paths.

`10.0.0.1:8080` looks like a field and its value to Lucene, and would find nothing. So does the name
of an attribute in brackets, `attributes[user.id]`, look like the begin of a range.
"""

import re

_HEX = "[0-9A-Fa-f]"
_STARTS = frozenset(" \t\r\n(+-![{:")
_END = r"(?=[\s)\]}]|$)"
_LITERAL = re.compile(
    rf"""
      (?P<url> [A-Za-z][A-Za-z0-9+.-]{{0,30}} :// [^\s()\[\]{{}}"]+ )
    | (?P<drive> [A-Za-z] :\\ (?! (?: AND | OR | NOT | TO ) \b )
        [A-Za-z0-9_.$~] [^\s()\[\]{{}}":]* ) {_END}
    | (?P<host> (?: [0-9]{{1,3}} (?: \.[0-9]{{1,3}} ){{3}} | localhost )
        : [0-9]{{1,5}} (?: / [^\s()\[\]{{}}"]* )? ) {_END}
    | (?P<clock> (?<= [:\[{{] )
        [0-9]{{1,2}} : [0-9]{{2}} (?: : [0-9]{{2}} (?: [.,][0-9]{{1,9}} )? )? ) {_END}
    | (?P<mac> {_HEX}{{2}} (?: : {_HEX}{{2}} ){{5}} ) {_END}
    | (?P<ipv6> {_HEX}{{1,4}} (?: : {_HEX}{{1,4}} ){{7}} ) {_END}
    | (?P<short_ipv6> (?: {_HEX}{{1,4}} (?: : {_HEX}{{1,4}} ){{0,6}} )? ::
        {_HEX}{{1,4}} (?: : {_HEX}{{1,4}} ){{0,6}} ) {_END}
    """,
    re.VERBOSE,
)
_BRACKETS = r"(?:attributes|resource)\[[^\]:]*\]"
_KEYED = re.compile(rf"{_BRACKETS}(?=:)|(?<=_exists_:){_BRACKETS}{_END}")
_SIGN = re.compile(r"[\\?]")


def literal_at(text: str, place: int) -> tuple[int, str] | None:
    """The text that begins at a place and means itself.

    Returns:
        Where it ends, and how it is written as a term of the language; None if none begins there.
        A `*` in it stays a wildcard.
    """
    match = _LITERAL.match(text, place) if _begins_at(text, place) else None
    if match is None:
        return None
    return match.end(), _SIGN.sub(r"\\\g<0>", match[0])


def keyed_at(text: str, place: int) -> tuple[int, str] | None:
    """An attribute in brackets that begins at a place, as :func:`literal_at`."""
    match = _KEYED.match(text, place) if _begins_at(text, place) else None
    if match is None:
        return None
    return match.end(), re.sub(r"[\\*?]", r"\\\g<0>", match[0])


def _begins_at(text: str, place: int) -> bool:
    return place == 0 or text[place - 1] in _STARTS


def is_no_field(name: str) -> bool:
    """Whether what stands before a colon is no name that an attribute has."""
    return re.fullmatch(r"[0-9]+([.][0-9]+)*", name) is not None
