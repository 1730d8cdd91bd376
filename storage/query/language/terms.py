"""Converts luqum's terms to tests, and reads field names."""

import re
from typing import Any, TypeAlias

from luqum import tree as lucene

from storage.query.language.errors import QuerySyntaxError, mistake
from storage.query.language.tree import (
    NUMBER,
    Bound,
    Equals,
    Exists,
    Like,
    LikePattern,
    Range,
    Regex,
    Test,
    Wild,
)

Node: TypeAlias = Any
"""A node of luqum's tree."""

_PIECE = re.compile(r"\\(.)|([*?])|([^\\*?]+)", re.DOTALL)


def field_name(text: str, position: int) -> str:
    """The field name, unescaped; `position` is its offset in the query."""
    return _literal(text, position, "A field name")


def negative_number(node: Node) -> Node:
    """The negative number of a minus after a colon.

    Raises:
        QuerySyntaxError: no number follows the minus.
    """
    if isinstance(node.a, lucene.Word) and NUMBER.fullmatch(node.a.value):
        return lucene.Word(f"-{node.a.value}", pos=node.pos, size=node.size)
    raise mistake(node, "Write the minus before the field: -level:debug.")


def test_of(node: Node) -> Test:
    """The test that a term stands for.

    Raises:
        QuerySyntaxError: the node is not a term, or a range has no usable bound.
    """
    match node:
        case lucene.Word(value=text):
            return _word(text)
        case lucene.Phrase(value=text):
            return Equals(unescaped(text[1:-1]))
        case lucene.Regex(value=text):
            return Regex(text[1:-1])
        case lucene.From(a=bound, include=included):
            return _range(node, _bound(bound, included=included), None)
        case lucene.To(a=bound, include=included):
            return _range(node, None, _bound(bound, included=included))
        case lucene.Range(low=low, high=high):
            ends = (
                _bound(low, included=node.include_low),
                _bound(high, included=node.include_high),
            )
            return _range(node, *ends) if any(ends) else Exists()
    raise mistake(node, "This syntax is not supported.")


def _range(node: Node, low: Bound | None, high: Bound | None) -> Range:
    if low is None and high is None:
        raise mistake(node, "A comparison needs a value; * is not one.")
    return Range(low, high)


def _word(text: str) -> Test:
    pattern = _pattern(text)
    if pattern == (Wild.ANY,):
        return Exists()
    if any(isinstance(piece, Wild) for piece in pattern):
        return Like(pattern)
    return Equals("".join(piece for piece in pattern if isinstance(piece, str)))


def _pattern(text: str) -> LikePattern:
    pieces: list[str | Wild] = []
    for escaped, wild, plain in _PIECE.findall(text):
        piece = Wild(wild) if wild else escaped or plain
        last = pieces[-1] if pieces else None
        if isinstance(piece, str) and isinstance(last, str):
            pieces[-1] = last + piece
        elif not piece == last == Wild.ANY:
            pieces.append(piece)
    return tuple(pieces)


def has_wildcards(text: str) -> bool:
    """Whether a term has a wildcard that is not escaped."""
    return any(isinstance(piece, Wild) for piece in _pattern(text))


def _literal(text: str, position: int, of: str) -> str:
    if has_wildcards(text):
        hint = f"{of} cannot contain wildcards. Write \\* for a *."
        raise QuerySyntaxError(position, hint, len(text))
    return unescaped(text)


def phrase(text: str) -> str:
    """A text as a term of a query: in quotes."""
    return '"' + re.sub(r'["\\]', r"\\\g<0>", text) + '"'


def unescaped(text: str) -> str:
    """A text without the backslashes that escape characters."""
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _bound(node: Node, *, included: bool) -> Bound | None:
    sign = "-" if isinstance(node, lucene.Prohibit) else ""
    term = node.a if sign else node
    if isinstance(term, lucene.Phrase):
        return Bound(sign + unescaped(term.value[1:-1]), included, numeric=False)
    if term.value == "*" and not sign:
        return None
    value = sign + _literal(term.value, term.pos, "A bound")
    return Bound(value, included, numeric=NUMBER.fullmatch(value) is not None)
