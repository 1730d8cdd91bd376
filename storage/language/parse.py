"""A text of the search language to a tree: Lucene's syntax, parsed by luqum.

Three things differ from Lucene: terms next to each other must all hold; AND, also the unwritten
one, binds stronger than OR; and what makes no sense for log records is refused with a hint.
"""

from functools import lru_cache

from luqum import parser
from luqum import tree as lucene
from luqum.exceptions import ParseSyntaxError

from storage.language.check import refusal
from storage.language.errors import QuerySyntaxError
from storage.language.fields import LOGS, Field, Fields
from storage.language.literal import is_no_field
from storage.language.terms import Node, field_name, negative_number, test_of
from storage.language.tokens import Tokens
from storage.language.tree import And, Comparison, Exists, Not, Or, Query, Range

MAX_LENGTH = 4096
"""Most characters of a query."""

MAX_CLAUSES = 200
"""Most terms of a query."""

MAX_DEPTH = 30
"""How deep parentheses, negations and fields may be nested."""

_NESTED_FIELD = 'A field has no fields below it. Quote a text with a colon: "12:30".'
_NO_FIELD = '{name} is no name of a field. Quote a text with a colon: "{name}:…".'
_TOO_EARLY = "The query ends too early: a term, a closing parenthesis or a bracket is missing."
_UNEXPECTED = {
    "COLUMN": "A name of a field has to stand before a colon. Quote a text with a colon.",
    "RPAREN": "There is no open parenthesis that this could close.",
    "RBRACKET": "There is no open bracket of a range that this could close.",
    "AND_OP": "There has to be a term on both sides of AND.",
    "OR_OP": "There has to be a term on both sides of OR.",
    "LBRACKET": "A range is written [1 TO 5], with {} for bounds that do not belong to it.",
}


@lru_cache(maxsize=256)
def parse(text: str, fields: Fields = LOGS) -> Query:
    """The tree of a query, its names looked up in `fields`.

    Raises:
        QuerySyntaxError: the text is no query, or asks something of a field that it does not have.
    """
    if len(text) > MAX_LENGTH:
        raise QuerySyntaxError(MAX_LENGTH, f"A query has at most {MAX_LENGTH} characters.")
    if not text.strip():
        raise QuerySyntaxError(0, "The query is empty; * finds every record.")
    return _Reading(fields).query(_parsed(text))


def _parsed(text: str) -> Node:
    tokens = Tokens(text)
    try:
        return parser.parser.parse(text, lexer=tokens.lexer, tokenfunc=tokens)
    except ParseSyntaxError:
        if not tokens.latest:
            raise QuerySyntaxError(tokens.position, _TOO_EARLY) from None
        unknown = "This is not expected here. Quote a text with special characters."
        hint = _UNEXPECTED.get(tokens.latest, unknown)
        raise QuerySyntaxError(tokens.position, hint) from None


class _Reading:
    """The way over luqum's tree; `field` is the one whose value stands at a place, None if bare."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self._clauses = 0

    def query(self, node: Node, field: Field | None = None, depth: int = 0) -> Query:
        if depth > MAX_DEPTH:
            raise QuerySyntaxError(node.pos or 0, f"It is nested deeper than {MAX_DEPTH} times.")
        match node:
            case lucene.BaseOperation():
                return self._operation(node, field, depth + 1)
            case lucene.BaseGroup(expr=inner) | lucene.Plus(a=inner):
                return self.query(inner, field, depth + 1)
            case lucene.Not(a=inner) | lucene.Prohibit(a=inner):
                return Not(self.query(inner, field, depth + 1))
            case lucene.SearchField():
                if field is not None:
                    raise QuerySyntaxError(node.pos, _NESTED_FIELD)
                return self._in_field(node, depth + 1)
        return self._comparison(node, field)

    def _operation(self, node: Node, field: Field | None, depth: int) -> Query:
        ways = [
            _joined(And, [self.query(part, field, depth) for part in parts])
            for parts in _alternatives(node)
        ]
        return _joined(Or, ways)

    def _in_field(self, node: Node, depth: int) -> Query:
        name, inner = field_name(node.name, node.pos), node.expr
        if is_no_field(name) and not isinstance(inner, lucene.SearchField):
            raise QuerySyntaxError(inner.pos or node.pos, _NO_FIELD.format(name=name))
        if name == "_exists_":
            if not isinstance(inner, lucene.Word):
                raise QuerySyntaxError(inner.pos, "The name of a field has to follow _exists_.")
            field = self._fields.named(field_name(inner.value, inner.pos))
            return self._counted(Comparison(field, Exists()), node)
        if isinstance(inner, lucene.Prohibit):
            inner = negative_number(inner)
        return self.query(inner, self._fields.named(name), depth)

    def _comparison(self, node: Node, field: Field | None) -> Query:
        test = test_of(node)
        if field is None and isinstance(test, Range):
            raise QuerySyntaxError(node.pos, "A range needs a field before it: duration_ms:>100.")
        if field is None and isinstance(test, Exists):
            return self._counted(And(()), node)
        return self._counted(Comparison(field or self._fields.words, test), node)

    def _counted(self, query: Query, node: Node) -> Query:
        self._clauses += 1
        if self._clauses > MAX_CLAUSES:
            raise QuerySyntaxError(node.pos, f"A query has at most {MAX_CLAUSES} terms.")
        reason = refusal(query) if isinstance(query, Comparison) else ""
        if reason:
            raise QuerySyntaxError(node.pos, reason)
        return query


def _alternatives(node: Node) -> list[list[Node]]:
    # luqum lets the unwritten AND bind weaker than OR. Parentheses are nodes of their own, so
    # that an operation directly below another one can be taken apart again.
    if isinstance(node, lucene.OrOperation):
        return [way for part in node.children for way in _alternatives(part)]
    if not isinstance(node, lucene.BaseOperation):
        return [[node]]
    ways: list[list[Node]] = [[]]
    for part in node.children:
        first, *others = _alternatives(part)
        ways[-1] += first
        ways += others
    return ways


def _joined(kind: type[And | Or], parts: list[Query]) -> Query:
    return parts[0] if len(parts) == 1 else kind(tuple(parts))
