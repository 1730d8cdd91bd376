"""What may stand at a place of a query that is being written.

The tokens are those of the parser, so both agree on what is a name, a value or an operator.
"""

import re
from dataclasses import dataclass
from typing import Literal

from storage.query.language.errors import QuerySyntaxError
from storage.query.language.literal import is_no_field
from storage.query.language.terms import field_name, has_wildcards, unescaped
from storage.query.language.tokens import Placed, placed_tokens

Expected = Literal["field", "value", "operator", "keyword"]
"""`field`: a term, so also a field's name. `operator`: nothing else fits. `keyword`: only `TO`."""

EXISTS = "_exists_"

_WORDS = {"TERM", "AND_OP", "OR_OP", "NOT", "TO"}
_OPERANDS = {"TERM", "PHRASE", "REGEX", "RPAREN", "RBRACKET"}
_CLOSED = _OPERANDS - {"TERM"}
_COMPARES = {"LESSTHAN", "GREATERTHAN"}
_SIGNS = {"&&", "||"}
_OPEN_KEY = re.compile(r"(?:^|(?<=[\s(+\-!:]))(?:attributes|resource)\[[^\]:]*\Z")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a query, and what may stand there."""

    expected: Expected
    begin: int
    """Where the name or value begins of which the place is a part."""
    end: int
    """Where it ends."""
    typed: str
    """What is written of it before the place, without quotes and escapes."""
    field: str = ""
    """For a value: the field that it belongs to, without escapes."""
    clause: int = 0
    """Where the clause begins: with the field's name or the value."""
    after_operand: bool = False
    """Whether AND and OR may follow."""
    may_compare: bool = False
    """For a value: whether operators such as `>=` may stand before it."""
    is_bound: bool = False
    """For a value: whether it is the end of a range."""
    names_only: bool = False
    """For a field: whether it is the value of `_exists_`, without a colon."""
    has_colon: bool = False
    """For a field: whether a colon follows already."""


def place_at(text: str, cursor: int) -> Place | None:
    """What may stand at an offset of a text, None if nothing can be suggested there.

    That is so in regular expressions, in terms with wildcards, and after a mistake.
    """
    written = text[:cursor]
    if match := _OPEN_KEY.search(written):
        before, error = placed_tokens(written[: match.start()])
        return None if error else _placed(text, before, match.start(), cursor, match[0])
    tokens, error = placed_tokens(written)
    if error:
        return _quoted(text, tokens, error.position, cursor)
    last = tokens[-1] if tokens else None
    word = written[last.begin :] if last and last.end == cursor else ""
    return _after(text, tokens, cursor, word)


def _after(text: str, tokens: list[Placed], cursor: int, word: str) -> Place | None:
    """The place after these tokens; `word` is the last one if it ends at the cursor."""
    kind = tokens[-1].kind if word else ""
    if kind in _CLOSED or word in _SIGNS or has_wildcards(word):
        return None
    if kind not in _WORDS or word == "!":
        return _placed(text, tokens, cursor, cursor, "")
    return _placed(text, tokens[:-1], tokens[-1].begin, cursor, unescaped(word))


def _quoted(text: str, before: list[Placed], begin: int, cursor: int) -> Place | None:
    """The place in a phrase that is not closed before the cursor, or in a path without quotes."""
    is_path = text[begin : begin + 1] == "/"
    if text[begin : begin + 1] != '"' and not (is_path and before and before[-1].end == begin):
        return None
    typed = text[begin:cursor] if is_path else unescaped(text[begin + 1 : cursor])
    place = _placed(text, before, begin, cursor, typed)
    return place if place and place.expected == "value" else None


def _placed(text: str, before: list[Placed], begin: int, cursor: int, typed: str) -> Place | None:
    context = _Context(text)
    for number, token in enumerate(before):
        context.read(token, before[number - 1] if number else None)
    end = _end(text, begin, cursor)
    return context.place(before, begin, end, typed)


def _end(text: str, begin: int, cursor: int) -> int:
    """Where the token ends that begins at `begin`, at least `cursor`."""
    tokens, _ = placed_tokens(text)
    ends = (token.end for token in tokens if token.begin == begin and token.end > cursor)
    return next(ends, cursor)


class _Context:
    """What the tokens before a place say about it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._field = ""
        self._begin = 0
        self._groups: list[tuple[str, int]] = []
        self._range = 0

    def read(self, token: Placed, last: Placed | None) -> None:
        """Take the next token, which follows `last`."""
        kind = token.kind
        if kind == "COLUMN":
            self._field = self._name(last)
            self._begin = last.begin if last else token.begin
        elif kind == "LPAREN":
            named = last is not None and last.kind == "COLUMN"
            inherited = self._groups[-1] if self._groups else ("", 0)
            self._groups.append((self._field, self._begin) if named else inherited)
        elif kind == "RPAREN" and self._groups:
            self._groups.pop()
        elif kind in {"LBRACKET", "RBRACKET"}:
            self._range = 1 if kind == "LBRACKET" else 0
        elif kind == "TO" and self._range:
            self._range = 2

    def place(self, before: list[Placed], begin: int, end: int, typed: str) -> Place | None:
        """The place after the tokens `before`."""
        last = before[-1].kind if before else ""
        group, group_begin = self._groups[-1] if self._groups else ("", begin)
        if self._range:
            return self._in_range(last, begin, end, typed)
        if last == "COLUMN":
            return self._after_colon(begin, end, typed, nested=bool(group))
        if last in _COMPARES:
            of = self._field if len(before) > 1 and before[-2].kind == "COLUMN" else group
            return self._value(of, begin, end, typed, is_bound=True)
        if last == "MINUS" and len(before) > 1 and before[-2].kind == "COLUMN":
            return None
        after_operand = last in _OPERANDS
        if group:
            clause = group_begin
            return Place("value", begin, end, typed, group, clause, after_operand=after_operand)
        has_colon = self._text[end : end + 1] == ":"
        return Place(
            "field", begin, end, typed, "", begin, after_operand=after_operand, has_colon=has_colon
        )

    def _after_colon(self, begin: int, end: int, typed: str, *, nested: bool) -> Place | None:
        if nested:
            return None
        if self._field == EXISTS:
            return Place("field", begin, end, typed, "", self._begin, names_only=True)
        return self._value(self._field, begin, end, typed, may_compare=not typed)

    def _in_range(self, last: str, begin: int, end: int, typed: str) -> Place | None:
        if last in {"LBRACKET", "TO"}:
            return self._value(self._field, begin, end, typed, is_bound=True)
        is_low = self._range == 1 and last in {"TERM", "PHRASE"}
        return Place("keyword", begin, end, typed, "", self._begin) if is_low else None

    def _value(  # noqa: PLR0913 - parts of a place
        self,
        field: str,
        begin: int,
        end: int,
        typed: str,
        *,
        may_compare: bool = False,
        is_bound: bool = False,
    ) -> Place | None:
        if not field:
            return None
        return Place(
            "value",
            begin,
            end,
            typed,
            field,
            self._begin,
            may_compare=may_compare,
            is_bound=is_bound,
        )

    def _name(self, token: Placed | None) -> str:
        """The field's name that a token is; empty if it is none."""
        if token is None or token.kind != "TERM":
            return ""
        try:
            name = field_name(self._text[token.begin : token.end], token.begin)
        except QuerySyntaxError:
            return ""
        return "" if is_no_field(name) else name
