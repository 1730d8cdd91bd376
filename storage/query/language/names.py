"""The field names in a query, and a hint where one may be misspelt."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from storage.query.language.errors import QuerySyntaxError
from storage.query.language.fields import Attribute, Fields
from storage.query.language.place import EXISTS
from storage.query.language.terms import field_name
from storage.query.language.tokens import Placed, placed_tokens
from storage.query.vocabulary import nearest


@dataclass(frozen=True, slots=True)
class Named:
    """An attribute that a query names."""

    written: str
    """As it stands in the query."""
    name: str
    """The attribute's name."""
    position: int
    """Offset in the query, in characters."""


@dataclass(frozen=True, slots=True)
class Hint:
    """A part of a valid query that may not be meant so."""

    position: int
    """Offset in the query, in characters."""
    length: int
    text: str
    """What is unusual and what may be meant, in full sentences."""


def attributes_in(text: str, fields: Fields) -> list[Named]:
    """The attributes that a query names, each where it first stands."""
    found: dict[str, Named] = {}
    tokens, _ = placed_tokens(text)
    for token in _names(text, tokens):
        written = text[token.begin : token.end]
        try:
            field = fields.named(field_name(written, token.begin))
        except QuerySyntaxError:
            continue
        if isinstance(field, Attribute) and field.otherwise is None:
            found.setdefault(written, Named(written, field.name, token.begin))
    return list(found.values())


def hint_of(named: Named, fields: Fields, attributes: Iterable[str]) -> Hint:
    """The hint for an attribute that no record has; `attributes` are names that some have."""
    near = nearest(named.name, [*fields.about, *fields.columns, *attributes])
    meant = f" Did you mean `{near}`?" if near and near != named.name else ""
    text = f"No field `{named.name}` in this time range.{meant}"
    return Hint(named.position, len(named.written), text)


def _names(text: str, tokens: list[Placed]) -> Iterator[Placed]:
    for number, token in enumerate(tokens):
        following = tokens[number + 1] if number + 1 < len(tokens) else None
        before = [text[each.begin : each.end] for each in tokens[max(0, number - 2) : number]]
        is_name = following is not None and following.kind == "COLUMN"
        is_named = before == [EXISTS, ":"]
        if (
            token.kind == "TERM"
            and (is_name or is_named)
            and text[token.begin : token.end] != EXISTS
        ):
            yield token
