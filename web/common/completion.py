"""Help with writing a query: completions and hints, for log records and for spans."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import marshmallow as ma
from flask import Response
from marshmallow import fields, validate

from storage.clickhouse.budget import Budget
from storage.clickhouse.sql import Where
from storage.query.language.complete import Choice, choices_at, rest_of, wants_values
from storage.query.language.fields import Fields
from storage.query.language.names import Hint, Named, attributes_in, hint_of
from storage.query.language.parse import MAX_LENGTH
from storage.query.language.place import Place, place_at
from storage.query.suggestions import Source, Suggestions
from storage.time_range import TimeRange
from web.common.formats import text_of
from web.common.query_text import QueryText
from web.common.tenancy import Arguments
from web.common.time_range import time_range_of
from web.http.answers import about_request, answer
from web.http.arguments import Whole, described, described_like
from web.http.errors import WrongParameterError
from web.http.resources import current_resources
from web.http.schemas import Answer

_MOST_CHOICES = 100
_MOST_CHECKED = 20


def begun_query(names: Fields) -> QueryText:
    """The parameter `q` as far as it is written; it need not be valid."""
    return QueryText(
        names,
        begun=True,
        load_default="",
        validate=validate.Length(0, MAX_LENGTH),
        metadata=described_like("The query as far as it is written.", "timeout service:ca"),
    )


def cursor_in_query() -> Whole:
    """The parameter `cursor` of a completion."""
    return Whole(
        0,
        MAX_LENGTH,
        metadata=described_like("Where to complete, in characters. Default: the end of `q`.", 18),
    )


def most_choices() -> Whole:
    """The parameter `limit` of a completion."""
    return Whole(
        1,
        _MOST_CHOICES,
        load_default=20,
        metadata=described_like("Maximum number of names or values.", 20),
    )


class ChoiceSchema(ma.Schema):
    """Something that may stand there."""

    text = fields.String(
        required=True,
        metadata=described_like("What to insert: quoted or escaped if needed.", '"mail in"'),
    )
    label = fields.String(required=True, metadata=described_like("The same, to show.", "mail in"))
    kind = fields.String(
        required=True, validate=validate.OneOf(["field", "value", "operator", "keyword"])
    )
    about = fields.String(
        required=True, metadata=described_like("What it means; may be empty.", "Name of a service")
    )
    count = fields.Integer(
        required=True,
        allow_none=True,
        metadata=described_like("Records that have it; null if only a sample was read.", 80),
    )


class CompletionAnswer(Answer):
    """What may stand at a place of a query. Names and values are up to 30 seconds old."""

    kind = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf(["field", "value", "keyword"]),
        metadata=described_like("What is expected; null if nothing can be suggested.", "value"),
    )
    from_ = fields.Integer(
        required=True,
        data_key="from",
        metadata=described_like("A choice replaces the characters from here …", 16),
    )
    to = fields.Integer(required=True, metadata=described_like("… up to here, exclusive.", 18))
    choices = fields.List(fields.Nested(ChoiceSchema), required=True)


class HintSchema(ma.Schema):
    """A part of the query that may not be meant so."""

    position = fields.Integer(
        required=True, metadata=described_like("Where it begins, in characters from 0.", 0)
    )
    length = fields.Integer(required=True, metadata=described_like("Its characters.", 6))
    text = fields.String(
        required=True,
        metadata=described_like(
            "What is unusual.",
            "No field `servce` in this time range. Did you mean `service`?",
        ),
    )


class HintsAnswer(Answer):
    """What may be wrong with a valid query."""

    hints = fields.List(
        fields.Nested(HintSchema),
        required=True,
        metadata=described("Names that no record in the time range has; of the first 20."),
    )


@dataclass(frozen=True, slots=True)
class Table:
    """A table that queries can be written for."""

    name: str
    """The table, quoted."""
    fields: Fields
    workspace_of: Callable[[Arguments], str]
    filters_of: Callable[[Arguments], Any]
    """The filters that the arguments ask for, hashable."""
    where: Callable[[Any, TimeRange], Where]


def complete(arguments: Arguments, table: Table, known: Suggestions) -> Response:
    """Answer what may stand at the cursor.

    Raises:
        WrongParameterError: the cursor is behind the query's end.
    """
    text: str = arguments["q"]
    cursor: int = arguments.get("cursor", len(text))
    if cursor > len(text):
        raise WrongParameterError("cursor", f"Is behind the query's end, {len(text)}.")
    place = place_at(text, cursor)
    choices = _choices(arguments, table, known, place) if place else []
    return answer(
        {
            "kind": place.expected if place else None,
            "from": place.begin if place else cursor,
            "to": place.end if place else cursor,
            "choices": [_choice_answer(each) for each in choices],
            **about_request(),
        }
    )


def check(arguments: Arguments, table: Table, known: Suggestions) -> Response:
    """Answer which names of a valid query no record has."""
    named = attributes_in(arguments["q"], table.fields)[:_MOST_CHECKED]
    missing = [each for each in named if not _is_there(arguments, table, each)]
    names = _names(arguments, table, known) if missing else {}
    hints = [hint_of(each, table.fields, names) for each in missing]
    return answer({"hints": [_hint_answer(each) for each in hints], **about_request()})


def _choices(arguments: Arguments, table: Table, known: Suggestions, place: Place) -> list[Choice]:
    names = _names(arguments, table, known) if place.expected == "field" else {}
    field = wants_values(place, table.fields)
    values: dict[str, int | None] = {}
    if field is not None:
        resources = current_resources()
        rest = rest_of(arguments["q"], place, table.fields)
        for query in dict.fromkeys((rest, "")):
            source = _source(arguments, table, query)
            about = (resources.clickhouse, resources.settings, source, field, place.typed)
            values = dict(known.values(*about))
            if values:
                break
    return choices_at(place, table.fields, names, values, arguments["limit"])


def _names(arguments: Arguments, table: Table, known: Suggestions) -> dict[str, int | None]:
    resources = current_resources()
    source = _source(arguments, table, "")
    return dict(known.names(resources.clickhouse, resources.settings, source))


def _is_there(arguments: Arguments, table: Table, named: Named) -> bool:
    resources = current_resources()
    clause = _source(arguments, table, f"_exists_:{named.written}").where()
    sql = f"SELECT 1 FROM {table.name} WHERE {clause.sql} LIMIT 1"  # noqa: S608 - bound
    limits = Budget(resources.settings).limits()
    return bool(resources.clickhouse.query(sql, clause.params, limits))


def _source(arguments: Arguments, table: Table, query: str) -> Source:
    filters = table.filters_of({**arguments, "q": query})
    time_range = time_range_of(arguments)
    return Source(
        table=table.name,
        fields=table.fields,
        workspace_id=table.workspace_of(arguments),
        time_range=time_range,
        where=lambda: table.where(filters, time_range),
        filters=filters,
    )


def _choice_answer(choice: Choice) -> dict[str, Any]:
    return {
        "text": choice.text,
        "label": text_of(choice.label),
        "kind": choice.kind,
        "about": choice.about,
        "count": choice.count,
    }


def _hint_answer(hint: Hint) -> dict[str, Any]:
    return {"position": hint.position, "length": hint.length, "text": hint.text}
