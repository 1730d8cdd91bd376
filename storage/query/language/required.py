"""Finds words that every match of a regular expression contains, for the index to look up.

Only the outermost sequence of RE2's syntax (github.com/google/re2) is read. A part that can match
different texts counts as a wildcard. An alternative, a flag or an unknown escape gives no words.
"""

import re

from storage.clickhouse.sql import ascii_lower
from storage.query.language.template import outline
from storage.query.language.tree import LikePattern, Wild
from storage.query.language.words import LEAST_PART, whole_words, words_of

_MOST_WORDS = 32

_PIECE = re.compile(
    r"""
      (?P<class> \[ \^?+ (?: \\. | [^\[\]\\] )+ \] )
    | (?P<open> \( (?: \?: )? (?!\?) )
    | (?P<close> \) )
    | (?P<bar> \| )
    | (?P<repeated> \+ \?? )
    | (?P<optional> [*?] \?? | \{ [0-9]+ (?: , [0-9]* )? \} \?? )
    | (?P<anchor> [\^$] )
    | (?P<any> \. | \\ [dDwWsSbB] )
    | (?P<blank> \\ [nrtfv] )
    | \\ (?P<literal> [\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e] )
    | (?P<text> [^\\\[\](){}|*+?^$.] )
    """,
    re.VERBOSE | re.DOTALL,
)


def required_words(expression: str) -> list[str]:
    """Words, in lower-case ASCII, that every text matching the expression contains.

    Args:
        expression: a valid RE2 expression.

    Returns:
        Not necessarily all such words.
    """
    words = whole_words(_pattern(expression))
    return [ascii_lower(word) for word in words[:_MOST_WORDS]]


def words_of_template(template: str) -> list[str]:
    """The same for the bodies of a template; see `storage.query.language.template`."""
    return [ascii_lower(word) for word in whole_words(outline(template))[:_MOST_WORDS]]


def required_part(expression: str) -> str:
    """The longest part of a word, in lower-case ASCII, that every matching text contains.

    Args:
        expression: a valid RE2 expression.

    Returns:
        At least `LEAST_PART` characters, or ''.
    """
    texts = [piece for piece in _pattern(expression) if isinstance(piece, str)]
    part = max((word for text in texts for word in words_of(text)), key=len, default="")
    return ascii_lower(part) if len(part) >= LEAST_PART else ""


def _pattern(expression: str) -> LikePattern:
    """A pattern that every matching text matches too."""
    pieces: list[str | Wild] = [Wild.ANY]
    depth, place = 0, 0
    while place < len(expression):
        found = _PIECE.match(expression, place)
        if found is None or (found.lastgroup == "bar" and depth == 0):
            return (Wild.ANY,)
        place = found.end()
        depth += {"open": 1, "close": -1}.get(found.lastgroup or "", 0)
        if depth == 0:
            _add(pieces, found)
    return _joined([*pieces, Wild.ANY])


def _add(pieces: list[str | Wild], found: re.Match[str]) -> None:
    match found.lastgroup:
        case "text" | "literal":
            pieces.append(found[found.lastgroup])
        case "blank" | "anchor":
            # Both end a word.
            pieces.append(" ")
        case "optional":
            pieces[-1] = Wild.ANY
        case _:
            pieces.append(Wild.ANY)


def _joined(pieces: list[str | Wild]) -> LikePattern:
    joined: list[str | Wild] = []
    for piece in pieces:
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        else:
            joined.append(piece)
    return tuple(joined)
