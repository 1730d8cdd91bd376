"""Literals that contain the language's special characters: addresses, times, URLs, paths.

Lucene would read `10.0.0.1:8080` as a field and its value and find nothing, and the brackets of
`attributes[user.id]` as the start of a range. What stands between two slashes is a regular
expression; any other text that begins with a slash is a path, also one of a route: `/users/{id}`.
"""

import re

_HEX = "[0-9A-Fa-f]"
_STARTS = frozenset(" \t\r\n(+-![{:")
_END = r"(?=[\s)\]}]|$)"
_REGEX = r"/ (?: [^\\/] | \\. )* / (?= [\s)] | $ )"
_LITERAL = re.compile(
    rf"""
      (?P<url> [A-Za-z][A-Za-z0-9+.-]{{0,30}} :// [^\s()\[\]{{}}"]+ )
    | (?P<drive> [A-Za-z] :\\ (?! (?: AND | OR | NOT | TO ) \b )
        [A-Za-z0-9_.$~] [^\s()\[\]{{}}":]* ) {_END}
    | (?P<path> (?! {_REGEX} ) /
        (?: [^\s()\[\]{{}}"\\] | \{{ [^\s()\[\]{{}}"\\]+ \}} | \[ [\w.-]+ \] )* ) {_END}
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
_SPECIAL = re.compile(r"[\\?]")


def literal_at(text: str, place: int) -> tuple[int, str] | None:
    """The literal that starts at this offset.

    Returns:
        Its end, and the literal escaped as a term; None if none starts here. A `*` in it stays a
        wildcard.
    """
    match = _LITERAL.match(text, place) if _begins_at(text, place) else None
    if match is None:
        return None
    return match.end(), _SPECIAL.sub(r"\\\g<0>", match[0])


def keyed_at(text: str, place: int) -> tuple[int, str] | None:
    """The attribute in brackets that starts at this offset; returns like :func:`literal_at`."""
    match = _KEYED.match(text, place) if _begins_at(text, place) else None
    if match is None:
        return None
    return match.end(), re.sub(r"[\\*?]", r"\\\g<0>", match[0])


def _begins_at(text: str, place: int) -> bool:
    return place == 0 or text[place - 1] in _STARTS


def is_no_field(name: str) -> bool:
    """Whether the text before a colon cannot be a field: it is a number, such as in `12:30`."""
    return re.fullmatch(r"[0-9]+([.][0-9]+)*", name) is not None
