"""What every match of a regular expression contains: the index can be asked for it.

Only the outermost sequence is read, and only as far as RE2's syntax (github.com/google/re2) leaves
no doubt: what may be many things stands for anything, and an alternative, a flag or an escape that
is not known here ends the reading with nothing.
"""

import re

from storage.language.tree import Pattern, Wild
from storage.language.words import LEAST_PART, whole_words, words_of
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
    words = whole_words(_pattern(expression))
    return [ascii_lower(word) for word in words[:_MOST_WORDS]]


def required_part(expression: str) -> str:
    """The longest part of a word, in small ASCII letters, that a text has to contain for a match.

    Args:
        expression: one that RE2 takes.

    Returns:
        Four characters or more, else nothing.
    """
    texts = [piece for piece in _pattern(expression) if isinstance(piece, str)]
    part = max((word for text in texts for word in words_of(text)), key=len, default="")
    return ascii_lower(part) if len(part) >= LEAST_PART else ""


def _pattern(expression: str) -> Pattern:
    """What a text has to contain, as far as that is certain."""
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
        case "text" | "sign":
            pieces.append(found[found.lastgroup])
        case "blank" | "anchor":
            # No word goes on beyond either.
            pieces.append(" ")
        case "optional":
            pieces[-1] = Wild.ANY
        case _:
            pieces.append(Wild.ANY)


def _joined(pieces: list[str | Wild]) -> Pattern:
    joined: list[str | Wild] = []
    for piece in pieces:
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        else:
            joined.append(piece)
    return tuple(joined)
