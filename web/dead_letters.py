"""Dead letters: what could not be stored, to look at, to download, to replay and to drop."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response, abort
from marshmallow import fields, validate

from tasks.chunk import SIGNALS
from tasks.dead_letters import (
    PROTOBUF,
    DeadLetter,
    DeadLetters,
    Filters,
    Position,
    summary,
)
from web.answers import answer
from web.arguments import Text, Whole
from web.blueprint import ApiBlueprint
from web.errors import WrongParameterError
from web.log_arguments import FilterArguments
from web.log_query import about_request, rfc3339, workspace_of
from web.schemas import Answer
from web.services import services

_MOST_RECORDS = 1000
_GONE = {404: "The workspace has no such dead letter"}


class WorkspaceArguments(ma.Schema):
    """Whose dead letters."""

    class Meta:
        """Refuse what is not known."""

        unknown = ma.RAISE

    workspace_id = FilterArguments().fields["workspace_id"]


class DeadLetterFilters(WorkspaceArguments):
    """Which dead letters."""

    client_id = FilterArguments().fields["client_id"]
    signal = fields.String(
        validate=validate.OneOf(SIGNALS), metadata={"description": "What kind of records."}
    )
    reason = Text(
        validate=validate.Length(1, 1024),
        metadata={"description": "Part of the reason, in either case."},
    )
    start_time_ms = Whole(
        0, 2**53, metadata={"description": "Buried in this millisecond, Unix time, or later."}
    )
    end_time_ms = Whole(0, 2**53, metadata={"description": "Buried in this millisecond or before."})


class ListArguments(DeadLetterFilters):
    """Which dead letters, and which page of them."""

    limit = Whole(
        1, 1000, load_default=100, metadata={"description": "Most dead letters in the answer."}
    )
    cursor = fields.String(
        validate=validate.Regexp(r"[0-9]{1,15}-[0-9a-f]{32}\Z"),
        metadata={"description": "`next_cursor` of the page before."},
    )


class ShowArguments(WorkspaceArguments):
    """How much of one dead letter."""

    records = Whole(
        0,
        _MOST_RECORDS,
        load_default=100,
        metadata={"description": "Most of its records in the answer."},
    )


class DeadLetterSummary(ma.Schema):
    """A chunk that could not be stored."""

    id = fields.String(required=True)
    signal = fields.String(required=True)
    workspace_id = fields.String(required=True)
    client_id = fields.String(required=True)
    records = fields.Integer(required=True, metadata={"description": "How many it holds."})
    bytes = fields.Integer(required=True, metadata={"description": "Uncompressed OTLP bytes."})
    received_ms = fields.Integer(required=True)
    buried_ms = fields.Integer(required=True)
    reason = fields.String(
        required=True, metadata={"description": "In the words of the database or the decoder."}
    )


class DeadLettersAnswer(Answer):
    """A page of dead letters, newest first."""

    dead_letters = fields.List(fields.Nested(DeadLetterSummary), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class DeadLetterAnswer(Answer):
    """One dead letter with its records, by the columns of their table."""

    dead_letter = fields.Nested(DeadLetterSummary, required=True)
    records = fields.List(
        fields.Dict(),
        required=True,
        metadata={"description": "Empty if the chunk cannot be decoded."},
    )


class ReplayedAnswer(Answer):
    """How many wait to be stored again."""

    replayed = fields.Integer(required=True)


class DroppedAnswer(Answer):
    """How many are gone for good."""

    dropped = fields.Integer(required=True)


def dead_letters_blueprint() -> ApiBlueprint:
    """The routes below `/dead-letters`."""
    blueprint = ApiBlueprint("dead-letters", __name__, description="What could not be stored")

    @blueprint.endpoint("", DeadLettersAnswer, takes=ListArguments)
    def dead_letters(arguments: dict[str, Any]) -> Response:
        """Dead letters of a workspace, newest first."""
        return _list(arguments)

    @blueprint.endpoint("/<chunk_id>", DeadLetterAnswer, takes=ShowArguments, otherwise=_GONE)
    def dead_letter(arguments: dict[str, Any], chunk_id: str) -> Response:
        """One dead letter, decoded as far as it can be."""
        return _show(arguments, chunk_id)

    @blueprint.endpoint("/replay", ReplayedAnswer, takes=DeadLetterFilters, method="POST")
    def replay_matching(arguments: dict[str, Any]) -> Response:
        """Replay all dead letters of a workspace that match."""
        replayed = _shelf().replay_all(filters_of_dead_letters(arguments))
        return answer({"replayed": replayed, **about_request()})

    @blueprint.endpoint(
        "/<chunk_id>/replay",
        ReplayedAnswer,
        takes=WorkspaceArguments,
        method="POST",
        otherwise=_GONE,
    )
    def replay(arguments: dict[str, Any], chunk_id: str) -> Response:
        """Put one dead letter back among what waits to be stored."""
        replayed = _shelf().replay(_found(arguments, chunk_id))
        return answer({"replayed": int(replayed), **about_request()})

    @blueprint.endpoint(
        "/<chunk_id>", DroppedAnswer, takes=WorkspaceArguments, method="DELETE", otherwise=_GONE
    )
    def drop(arguments: dict[str, Any], chunk_id: str) -> Response:
        """Delete one dead letter for good."""
        dropped = _shelf().drop(_found(arguments, chunk_id))
        return answer({"dropped": int(dropped), **about_request()})

    _download(blueprint)
    return blueprint


def _download(blueprint: ApiBlueprint) -> None:
    def otlp(arguments: dict[str, Any], chunk_id: str) -> Response:
        """The dead letter as the OTLP export request that any OTLP endpoint takes."""
        payload = _shelf().otlp(_found(arguments, chunk_id))
        if payload is None:
            abort(404, "The bytes of this dead letter are damaged or gone.")
        headers = {"Content-Disposition": f'attachment; filename="{chunk_id}.otlp"'}
        return Response(payload, 200, headers, content_type=PROTOBUF)

    binary = {"type": "string", "format": "binary"}
    view: Any = blueprint.response(200, binary, content_type=PROTOBUF)(otlp)
    view = blueprint.alt_response(404, description=_GONE[404])(view)
    view = blueprint.arguments(WorkspaceArguments, location="query")(view)
    blueprint.route("/<chunk_id>/otlp", methods=["GET"])(view)


def _list(arguments: dict[str, Any]) -> Response:
    page = _shelf().page(
        filters_of_dead_letters(arguments), arguments["limit"], _position(arguments)
    )
    after = page.after
    return answer(
        {
            "dead_letters": [summary(letter) for letter in page.letters],
            "next_cursor": f"{after.buried_ms}-{after.id}" if after else None,
            **about_request(),
        }
    )


def _show(arguments: dict[str, Any], chunk_id: str) -> Response:
    letter = _found(arguments, chunk_id)
    records = _shelf().records(letter, arguments["records"])
    return answer(
        {
            "dead_letter": summary(letter),
            "records": [_readable(record) for record in records],
            **about_request(),
        }
    )


def _readable(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: rfc3339(value) if name.startswith("Time") and isinstance(value, int) else value
        for name, value in record.items()
    }


def _shelf() -> DeadLetters:
    return DeadLetters(services().ledger)


def _found(arguments: Mapping[str, Any], chunk_id: str) -> DeadLetter:
    workspace_id = workspace_of(arguments)
    letter = _shelf().one(chunk_id, workspace_id)
    if letter is None:
        abort(404, f"Workspace {workspace_id} has no dead letter with this id.")
    return letter


def filters_of_dead_letters(arguments: Mapping[str, Any]) -> Filters:
    """Which dead letters the arguments ask for. Raises WrongParameterError."""
    since: int = arguments.get("start_time_ms", 0)
    until: float = arguments.get("end_time_ms", float("inf"))
    if since > until:
        raise WrongParameterError("start_time_ms", f"It is after the end, {until}.")
    return Filters(
        workspace_id=workspace_of(arguments),
        client_id=arguments.get("client_id", ""),
        signal=arguments.get("signal", ""),
        reason=arguments.get("reason", ""),
        since=since / 1000,
        until=until / 1000,
    )


def _position(arguments: Mapping[str, Any]) -> Position | None:
    cursor: str = arguments.get("cursor", "")
    if not cursor:
        return None
    buried_ms, _, chunk_id = cursor.partition("-")
    return Position(int(buried_ms), chunk_id)
