"""The words that every match of a regular expression contains: the index can be asked for them.

Only the outermost sequence is read, and only as far as RE2's syntax (github.com/google/re2) leaves
no doubt: what may be many things stands for anything, and an alternative, a flag or an escape that
is not known here ends the reading without words.
"""

import re

from storage.language.tree import Wild
from storage.language.words import whole_words
from storage.sql import ascii_lower

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
    | \\ (?P<sign> [\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e] )
    | (?P<text> [^\\\[\](){}|*+?^$.] )
    """,
    re.VERBOSE | re.DOTALL,
)


def required_words(expression: str) -> list[str]:
    """Words in small ASCII letters that a text has to contain for the expression to match in it.

    Args:
        expression: one that RE2 takes.

    Returns:
        Some of the words, or none.
    """
    pieces: list[str | Wild] = [Wild.ANY]
    depth, place = 0, 0
    while place < len(expression):
        found = _PIECE.match(expression, place)
        if found is None or (found.lastgroup == "bar" and depth == 0):
            return []
        place = found.end()
        depth += {"open": 1, "close": -1}.get(found.lastgroup or "", 0)
        if depth == 0:
            _add(pieces, found)
    words = whole_words(_joined([*pieces, Wild.ANY]))
    return [ascii_lower(word) for word in words[:_MOST_WORDS]]


def _add(pieces: list[str | Wild], found: re.Match[str]) -> None:
    match found.lastgroup:
        case "text" | "sign":
            pieces.append(found[found.lastgroup])
        case "blank" | "anchor":
            # No word goes on beyond either.
            pieces.append(" ")
        case "optional":
            pieces[-1] = Wild.ANY
        case _:
            pieces.append(Wild.ANY)


def _joined(pieces: list[str | Wild]) -> tuple[str | Wild, ...]:
    joined: list[str | Wild] = []
    for piece in pieces:
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        else:
            joined.append(piece)
    return tuple(joined)
