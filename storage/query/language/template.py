"""The regular expression that finds the records of a template again.

It needs nothing but the template, so it also finds records that arrive later.
"""

import re
from functools import lru_cache

from storage.query.escaping import escaped
from storage.query.language.tree import LikePattern, Wild
from storage.query.templates.masks import (
    BODY_CHARACTERS,
    MASK,
    SIGNS_OF_A_MASK,
    TEXTS,
    UNUSUAL_TEXTS,
    VALUE,
)
from storage.query.templates.tokens import ALWAYS_SEPARATE, ANY, GAP, SPACE

_PIECE = re.compile(
    rf"(?P<token>{re.escape(ANY)}|{VALUE})|(?P<gap>{re.escape(GAP)})|(?P<mask>{MASK.pattern})"
    rf"|(?P<space>{SPACE}+)|(?P<text>.)",
    re.DOTALL,
)
_UNUSUAL = "|".join(UNUSUAL_TEXTS)
_SIGNS = "|".join(SIGNS_OF_A_MASK)


@lru_cache(maxsize=256)
def expression(template: str) -> str:
    """An RE2 expression for the bodies of a template, cut off at `BODY_CHARACTERS`.

    It matches every body from which the template was made or merged. It matches few others: those
    in which a text of one mask is in the place of another.
    """
    pieces = "".join(_expression_of(piece) for piece in _PIECE.finditer(template))
    return f"(?s)^{pieces}$"


def outline(template: str) -> LikePattern:
    """The words that all bodies of a template contain, with wildcards for what varies."""
    pieces: list[str | Wild] = []
    for piece in _PIECE.finditer(template):
        if piece.lastgroup not in {"text", "space"}:
            pieces.append(Wild.ANY)
            continue
        text = " " if piece.lastgroup == "space" else piece[0]
        if pieces and isinstance(pieces[-1], str):
            pieces[-1] += text
        else:
            pieces.append(text)
    if len(pieces) > 1 or len(template) >= BODY_CHARACTERS:
        # The last word may have been cut off.
        pieces.append(Wild.ANY)
    return tuple(pieces)


def _expression_of(piece: re.Match[str]) -> str:
    match piece.lastgroup:
        case "token":
            return _token(piece[0], piece.string[piece.end() :][:1])
        case "gap":
            return ".*"
        case "mask":
            return TEXTS[piece[0]]
        case "space":
            return f"{SPACE}+"
    return escaped(piece[0])


def _token(wildcard: str, after: str) -> str:
    """An expression for one token; some characters are separators before certain others."""
    not_last = ""
    if not after or re.fullmatch(SPACE, after):
        not_last = ":.)"
    elif after in ".,:;":
        not_last = ")"
    rest = f"{_part_of_token()}*{_part_of_token(not_last)}"
    return f"{_part_of_token()}*(?:{_SIGNS})(?:{rest})?" if wildcard == VALUE else rest


def _part_of_token(besides: str = "") -> str:
    """A character that a token may have, or a text with separators for which it has a mask."""
    return rf"(?:[^ \t-\r{ALWAYS_SEPARATE}{besides}]|{_UNUSUAL})"
