"""Dead letters: what could not be stored, to look at, to download, to replay and to drop."""

from collections.abc import Mapping
from typing import Any

from flask import Response, abort

from tasks.dead_letters import (
    PROTOBUF,
    DeadLetter,
    DeadLetters,
    Filters,
    Position,
    summary,
)
from web.answers import answer
from web.blueprint import ApiBlueprint
from web.dead_letter_schemas import (
    DeadLetterAnswer,
    DeadLetterFilters,
    DeadLettersAnswer,
    DroppedAnswer,
    ListArguments,
    ReplayedAnswer,
    ShowArguments,
)
from web.log_query import about_request, rfc3339, workspace_of
from web.services import services
from web.spans import whole_span
from web.tenant_arguments import WorkspaceArguments

_GONE = {404: "The workspace has no such dead letter"}
_MS = 1_000_000


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
    span = whole_span(arguments)
    return Filters(
        workspace_id=workspace_of(arguments),
        client_id=arguments.get("client_id", ""),
        signal=arguments.get("signal", ""),
        reason=arguments.get("reason", ""),
        since=span.first_ns // _MS / 1000,
        until=span.last_ns // _MS / 1000 if "end_ns" in arguments else float("inf"),
    )


def _position(arguments: Mapping[str, Any]) -> Position | None:
    cursor: str = arguments.get("cursor", "")
    if not cursor:
        return None
    buried_ms, _, chunk_id = cursor.partition("-")
    return Position(int(buried_ms), chunk_id)
