"""Splits templates into words, parts that vary, and the separators between them."""

import re
from functools import lru_cache

from storage.query.templates.masks import MASK

ANY = "<*>"
"""Stands for one token that varies in more than its masks."""

GAP = "<...>"
"""Stands for any number of tokens, or none."""

SPACE = r"[ \t-\r]"
"""White space in a regular expression: the same characters in Python and RE2, unlike `\\s`."""

ALWAYS_SEPARATE = r"""=,;\[\]{}"'|"""
"""Characters that never belong to a token, apart from white space."""

_SEPARATOR = re.compile(
    rf"""( {SPACE}+ | [{ALWAYS_SEPARATE}]+
      | (?<![^\ \t-\r])\(+ | \)+(?=$|[\ \t-\r.,:;])
      | [:.](?=$|[\ \t-\r]) )""",
    re.VERBOSE,
)

Tokens = tuple[str, ...]


def split(template: str) -> Tokens:
    """The tokens of a template, separators included; joined, they are the template again."""
    return tuple(filter(None, _SEPARATOR.split(template)))


def shape(tokens: Tokens) -> Tokens:
    """The tokens, with :data:`ANY` for all that have a mask, and all white space alike."""
    return tuple(map(_shaped, tokens))


@lru_cache(maxsize=2**16)
def is_word(token: str) -> bool:
    """Whether a token of a shape is the same in all lines."""
    return token != ANY and not _SEPARATOR.fullmatch(token)


@lru_cache(maxsize=2**16)
def _shaped(token: str) -> str:
    if MASK.search(token):
        return ANY
    return " " if is_space(token) else token


def is_space(token: str) -> bool:
    """Whether a token is white space; tokens never begin with it otherwise."""
    return token[0] in " \t\n\v\f\r"
