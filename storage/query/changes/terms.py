"""Queries for the records of a change, and the fields that a comparison already names."""

from collections.abc import Iterator

from storage.query.changes.count import Value
from storage.query.changes.sides import Sides
from storage.query.changes.subject import PATTERN, Subject
from storage.query.language.fields import Attribute, AttributeMap, Field
from storage.query.language.parse import parse
from storage.query.language.terms import phrase
from storage.query.language.tree import And, Comparison, Not, Or, Query
from storage.query.language.write import equals, literal, matches

_SAME = {
    "severity_number": "severity_text",
    "service.name": "service_name",
    "service.version": "service_version",
}


def query_of(value: Value, kind: str, subject: Subject) -> str | None:
    """The query for the records that have a value; None if none can be written."""
    if isinstance(value.text, bytes):
        return None
    fields = subject.fields
    if kind == PATTERN:
        return f"pattern:{phrase(value.text)}"
    if value.is_truncated:
        return matches(value.field, f"^{literal(value.text)}", fields)
    return equals(value.field, value.text, fields)


def compared_fields(sides: Sides) -> set[str]:
    """The fields that the queries of the sides name: that these differ is no news."""
    queries = (side.q for side in (sides.selection, sides.baseline) if side.q)
    return {identity(field) for q in queries for field in _named(parse(q, sides.fields))}


def identity(field: Field | AttributeMap) -> str:
    """A name of the field, the same for fields that always agree."""
    name = field.name if isinstance(field, Attribute) else field.key
    return _SAME.get(name, name)


def _named(query: Query) -> Iterator[Field | AttributeMap]:
    match query:
        case And(parts=parts) | Or(parts=parts):
            for part in parts:
                yield from _named(part)
        case Not(part=part):
            yield from _named(part)
        case Comparison(field=field):
            yield field
