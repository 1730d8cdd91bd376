"""Parses the search language to a tree: Lucene's syntax, read by luqum.

It differs from Lucene in three ways: adjacent terms must all match; AND, written or implied, binds
tighter than OR; and syntax that makes no sense for log records is refused with a hint.
"""

from functools import lru_cache

from luqum import parser
from luqum import tree as lucene
from luqum.exceptions import ParseSyntaxError

from storage.query.language.check import refusal
from storage.query.language.errors import QuerySyntaxError, mistake
from storage.query.language.fields import LOGS, Field, Fields
from storage.query.language.literal import is_no_field
from storage.query.language.terms import Node, field_name, negative_number, test_of
from storage.query.language.tokens import Tokens
from storage.query.language.tree import And, Comparison, Exists, Not, Or, Query, Range

MAX_LENGTH = 4096
"""Characters in a query."""

MAX_CLAUSES = 200
"""Terms in a query."""

MAX_DEPTH = 30
"""Levels of parentheses, negations and fields."""

_NESTED_FIELD = 'Fields cannot be nested. Quote a text with a colon: "12:30".'
_NO_FIELD = '{name} is not a field name. Quote a text with a colon: "{name}:…".'
_TOO_EARLY = "The query ends too early: a term, a closing parenthesis or a bracket is missing."
_UNEXPECTED = {
    "COLUMN": "A colon needs a field name before it. Quote a text with a colon.",
    "RPAREN": "This closing parenthesis has no opening one.",
    "RBRACKET": "This closing bracket has no opening one.",
    "AND_OP": "AND needs a term on both sides.",
    "OR_OP": "OR needs a term on both sides.",
    "LBRACKET": "Write a range as [1 TO 5], or as {1 TO 5} to exclude its bounds.",
}


@lru_cache(maxsize=256)
def parse(text: str, fields: Fields = LOGS) -> Query:
    """The tree of a query over `fields`.

    Raises:
        QuerySyntaxError: the query is invalid, or a field does not support a test.
    """
    if len(text) > MAX_LENGTH:
        beyond = len(text) - MAX_LENGTH
        hint = f"A query has at most {MAX_LENGTH} characters."
        raise QuerySyntaxError(MAX_LENGTH, hint, beyond)
    if not text.strip():
        hint = "The query is empty. Use * to match every record."
        raise QuerySyntaxError(0, hint, len(text))
    try:
        return _TreeBuilder(fields).query(_parsed(text))
    except QuerySyntaxError as error:
        # luqum counts the spaces after a node's last part.
        raise error.without_space(text) from None


def _parsed(text: str) -> Node:
    tokens = Tokens(text)
    try:
        return parser.parser.parse(text, lexer=tokens.lexer, tokenfunc=tokens)
    except ParseSyntaxError:
        if not tokens.latest:
            raise QuerySyntaxError(tokens.position, _TOO_EARLY) from None
        unknown = "Unexpected here. Quote a text with special characters."
        hint = _UNEXPECTED.get(tokens.latest, unknown)
        raise QuerySyntaxError(tokens.position, hint, tokens.length) from None


class _TreeBuilder:
    """Converts luqum's tree; `field` is the field that a node belongs to, None without one."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self._clauses = 0

    def query(self, node: Node, field: Field | None = None, depth: int = 0) -> Query:
        if depth > MAX_DEPTH:
            hint = f"The query is nested deeper than {MAX_DEPTH} levels."
            raise mistake(node, hint)
        match node:
            case lucene.BaseOperation():
                return self._operation(node, field, depth + 1)
            case lucene.BaseGroup(expr=inner) | lucene.Plus(a=inner):
                return self.query(inner, field, depth + 1)
            case lucene.Not(a=inner) | lucene.Prohibit(a=inner):
                return Not(self.query(inner, field, depth + 1))
            case lucene.SearchField():
                if field is not None:
                    raise mistake(node, _NESTED_FIELD)
                return self._in_field(node, depth + 1)
        return self._comparison(node, field)

    def _operation(self, node: Node, field: Field | None, depth: int) -> Query:
        alternatives = [
            _joined(And, [self.query(part, field, depth) for part in parts])
            for parts in _alternatives(node)
        ]
        return _joined(Or, alternatives)

    def _in_field(self, node: Node, depth: int) -> Query:
        name, inner = field_name(node.name, node.pos), node.expr
        if is_no_field(name) and not isinstance(inner, lucene.SearchField):
            raise mistake(inner, _NO_FIELD.format(name=name))
        if name == "_exists_":
            if not isinstance(inner, lucene.Word):
                raise mistake(inner, "_exists_ needs a field name: _exists_:body.")
            field = self._fields.named(field_name(inner.value, inner.pos))
            return self._counted(Comparison(field, Exists()), node)
        if isinstance(inner, lucene.Prohibit):
            inner = negative_number(inner)
        return self.query(inner, self._fields.named(name), depth)

    def _comparison(self, node: Node, field: Field | None) -> Query:
        test = test_of(node)
        if field is None and isinstance(test, Range):
            raise mistake(node, "A range needs a field before it: duration_ms:>100.")
        if field is None and isinstance(test, Exists):
            return self._counted(And(()), node)
        return self._counted(Comparison(field or self._fields.words, test), node)

    def _counted(self, query: Query, node: Node) -> Query:
        self._clauses += 1
        if self._clauses > MAX_CLAUSES:
            raise mistake(node, f"A query has at most {MAX_CLAUSES} terms.")
        reason = refusal(query) if isinstance(query, Comparison) else ""
        if reason:
            raise mistake(node, reason)
        return query


def _alternatives(node: Node) -> list[list[Node]]:
    # In luqum, OR binds tighter than an implied AND. Parentheses have nodes of their own, so an
    # operation directly below another one can be regrouped.
    if isinstance(node, lucene.OrOperation):
        return [parts for child in node.children for parts in _alternatives(child)]
    if not isinstance(node, lucene.BaseOperation):
        return [[node]]
    alternatives: list[list[Node]] = [[]]
    for child in node.children:
        first, *others = _alternatives(child)
        alternatives[-1] += first
        alternatives += others
    return alternatives


def _joined(kind: type[And | Or], parts: list[Query]) -> Query:
    return parts[0] if len(parts) == 1 else kind(tuple(parts))
