"""Suggests what may stand at a place of a query: names, values, operators and keywords."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from storage.query.language.errors import QuerySyntaxError
from storage.query.language.fields import Case, ColumnField, Field, Fields, FieldType
from storage.query.language.parse import parse
from storage.query.language.place import Place
from storage.query.language.writing import written_attribute, written_value
from storage.severity import LEVELS

ChoiceKind = Literal["field", "value", "operator", "keyword"]

_KEYWORDS = {"AND": "Both must match", "OR": "One must match", "NOT": "The next must not match"}
_EXISTS = ("*", "Has the field")
_COMPARISONS = {
    ">=": "At least",
    "<=": "At most",
    ">": "More than",
    "<": "Less than",
    "[": "A range: [1 TO 5]",
}
_ONE_OF = ("(", "One of several: (a OR b)")


@dataclass(frozen=True, slots=True)
class Choice:
    """A text to insert."""

    text: str
    """Quoted or escaped as needed; a field's name ends with a colon."""
    label: str
    """What it is called, without quotes; for an operator or a keyword, the text."""
    kind: ChoiceKind
    about: str = ""
    """What it means, in a few words; may be empty."""
    count: int | None = None
    """Records that have it, if all were counted."""


Counts = Mapping[str, int | None]
"""Names or values, the most frequent first, with the number of records if it is known."""


def choices_at(
    place: Place, fields: Fields, attributes: Counts, values: Counts, most: int
) -> list[Choice]:
    """What may stand at a place, the best first.

    Args:
        place: where.
        fields: the fields of the table.
        attributes: names of attributes.
        values: values of `place.field`.
        most: maximum number of names or values.
    """
    match place.expected:
        case "field":
            names = _matching([*_named(place, fields), *_attributes(fields, attributes)], place)
            written = [_as_name(each, place) for each in names[:most]]
            return [*written, *_keywords(place)]
        case "value":
            found = _matching(list(_values(place, fields, values)), place)[:most]
            return [*found, *_operators(place, fields), *_keywords(place)]
        case "keyword":
            return [Choice("TO ", "TO", "keyword", "The other end of the range")]
    return []


def wants_values(place: Place, fields: Fields) -> Field | None:
    """The field whose values should be looked up for a place, None if there is no need."""
    if place.expected != "value":
        return None
    field = fields.named(place.field)
    if not isinstance(field, ColumnField):
        return field
    is_id = field.case is Case.STORED_LOWER
    is_listed = field.kind in {FieldType.TEXT, FieldType.LEVEL} and not is_id
    return field if is_listed else None


def rest_of(text: str, place: Place, fields: Fields) -> str:
    """The query without the clause of a place; empty if that is no query, or may be another one."""
    before = text[: place.clause].rstrip(" \t\r\n-!+")
    for sign in ("NOT", "AND", "&&"):
        before = before.removesuffix(f" {sign}").rstrip()
    after = text[place.end :].lstrip().removeprefix("AND ").strip()
    rest = f"{before} {after}".strip()
    try:
        parse(rest, fields)
    except QuerySyntaxError:
        return ""
    return "" if any(sign in rest for sign in (" OR", "||")) else rest


def _named(place: Place, fields: Fields) -> Iterator[Choice]:
    """The language's fields, each by the name that is preferred or begun."""
    typed = place.typed.lower()
    # A name that is preferred comes before an alias.
    for name, about in sorted(fields.about.items(), key=lambda item: typed not in item[0]):
        column = fields.columns.get(name)
        names = [name, *(each for each, other in fields.columns.items() if other is column)]
        begun = [each for each in names if each.startswith(typed)]
        yield Choice((begun or names)[0], (begun or names)[0], "field", about)


def _attributes(fields: Fields, attributes: Counts) -> Iterator[Choice]:
    for name, count in attributes.items():
        written = written_attribute(name, fields)
        if written and name not in fields.filled_by.values():
            yield Choice(written, name, "field", "Attribute", count)


def _as_name(choice: Choice, place: Place) -> Choice:
    colon = "" if place.names_only or place.has_colon else ":"
    return Choice(choice.text + colon, choice.label, "field", choice.about, choice.count)


def _values(place: Place, fields: Fields, values: Counts) -> Iterator[Choice]:
    field = fields.named(place.field)
    kind = field.kind if isinstance(field, ColumnField) else FieldType.TEXT
    if kind is FieldType.LEVEL:
        known = {name.lower(): values.get(name) for name in LEVELS}
        others = {} if place.is_bound else {name: n for name, n in values.items() if name}
        listed = known | {name.lower(): count for name, count in others.items()}
    else:
        listed = dict(values)
    for value, count in listed.items():
        yield Choice(written_value(value), value, "value", "", count)


def _operators(place: Place, fields: Fields) -> Iterator[Choice]:
    if not place.may_compare:
        return
    field = fields.named(place.field)
    is_words = isinstance(field, ColumnField) and field.kind is FieldType.WORDS
    for text, about in (_EXISTS, _ONE_OF, *(() if is_words else _COMPARISONS.items())):
        yield Choice(text, text, "operator", about)


def _keywords(place: Place) -> Iterator[Choice]:
    if place.names_only or place.has_colon or place.may_compare or place.is_bound:
        return
    for word, about in _KEYWORDS.items():
        fits = place.after_operand or (word == "NOT" and place.expected == "field")
        if fits and word.startswith(place.typed.upper()):
            yield Choice(f"{word} ", word, "keyword", about)


def _matching(choices: list[Choice], place: Place) -> list[Choice]:
    """The choices that begin with what is typed, then those that contain it; in their order."""
    typed = place.typed.lower()
    begun = [each for each in choices if _begins(each, typed)]
    inside = [each for each in choices if typed in each.label.lower() and each not in begun]
    return begun + inside


def _begins(choice: Choice, typed: str) -> bool:
    return choice.label.lower().startswith(typed) or choice.text.lower().startswith(typed)
