"""Dead letters: listing, showing, downloading, replaying and dropping them."""

from collections.abc import Mapping
from typing import Any

from flask import Response, abort

from config.units import NS_PER_MS
from ledger.dead_letters.kept import DeadLetter
from ledger.dead_letters.search import (
    PROTOBUF,
    DeadLetterFilter,
    DeadLetterPosition,
    DeadLetters,
    summary,
)
from web.admin.dead_letter_schemas import (
    DeadLetterAnswer,
    DeadLetterFilters,
    DeadLetterListArguments,
    DeadLettersAnswer,
    DroppedAnswer,
    ReplayedAnswer,
    ShowArguments,
)
from web.common.cursor import TimeAndId, cursor_of, place_of
from web.common.formats import rfc3339
from web.common.tenancy import WorkspaceArguments, client_of, workspace_of
from web.common.time_range import whole_time_range
from web.http.answers import about_request, answer
from web.http.blueprint import ApiBlueprint
from web.http.resources import current_resources

_GONE = {404: "The workspace has no such dead letter"}


def dead_letters_blueprint() -> ApiBlueprint:
    """The routes below `/dead-letters`."""
    blueprint = ApiBlueprint("dead-letters", __name__, description="Dead letters")

    @blueprint.endpoint("", DeadLettersAnswer, takes=DeadLetterListArguments, cost="none")
    def dead_letters(arguments: dict[str, Any]) -> Response:
        """List the dead letters of a workspace, newest first."""
        return _list(arguments)

    @blueprint.endpoint(
        "/<chunk_id>", DeadLetterAnswer, takes=ShowArguments, otherwise=_GONE, cost="none"
    )
    def dead_letter(arguments: dict[str, Any], chunk_id: str) -> Response:
        """Get one dead letter, with the records that can be decoded."""
        return _show(arguments, chunk_id)

    @blueprint.endpoint(
        "/replay", ReplayedAnswer, takes=DeadLetterFilters, method="POST", cost="none"
    )
    def replay_matching(arguments: dict[str, Any]) -> Response:
        """Replay all dead letters of a workspace that match."""
        replayed = _dead_letters().replay_all(filters_of_dead_letters(arguments))
        return answer({"replayed": replayed, **about_request()})

    @blueprint.endpoint(
        "/<chunk_id>/replay",
        ReplayedAnswer,
        takes=WorkspaceArguments,
        method="POST",
        otherwise=_GONE,
        cost="none",
    )
    def replay(arguments: dict[str, Any], chunk_id: str) -> Response:
        """Replay one dead letter, so that it is stored again."""
        replayed = _dead_letters().replay(_found(arguments, chunk_id))
        return answer({"replayed": int(replayed), **about_request()})

    @blueprint.endpoint(
        "/<chunk_id>",
        DroppedAnswer,
        takes=WorkspaceArguments,
        method="DELETE",
        otherwise=_GONE,
        cost="none",
    )
    def drop(arguments: dict[str, Any], chunk_id: str) -> Response:
        """Delete one dead letter for good."""
        dropped = _dead_letters().drop(_found(arguments, chunk_id))
        return answer({"dropped": int(dropped), **about_request()})

    _download(blueprint)
    return blueprint


def _download(blueprint: ApiBlueprint) -> None:
    def otlp(arguments: dict[str, Any], chunk_id: str) -> Response:
        """Download a dead letter as an OTLP export request, for any OTLP endpoint."""
        payload = _dead_letters().otlp(_found(arguments, chunk_id))
        if payload is None:
            abort(404, "The bytes of this dead letter are damaged or gone.")
        headers = {"Content-Disposition": f'attachment; filename="{chunk_id}.otlp"'}
        return Response(payload, 200, headers, content_type=PROTOBUF)

    binary = {"type": "string", "format": "binary"}
    view: Any = blueprint.response(200, binary, content_type=PROTOBUF)(otlp)
    view = blueprint.alt_response(404, description=_GONE[404])(view)
    view = blueprint.arguments(WorkspaceArguments, location="query")(view)
    blueprint.route("/<chunk_id>/otlp", methods=["GET"])(view)


def _list(arguments: Mapping[str, Any]) -> Response:
    filters = filters_of_dead_letters(arguments)
    query = (
        "dead-letters",
        filters.workspace_id,
        filters.client_id,
        filters.signal,
        filters.reason,
    )
    cursor = arguments.get("cursor", "")
    after = place_of(cursor, TimeAndId, *query) if cursor else None
    page = _dead_letters().page(
        filters, arguments["limit"], DeadLetterPosition(after.at_ms, after.id) if after else None
    )
    following = TimeAndId(page.after.dead_ms, page.after.id) if page.after else None
    return answer(
        {
            "dead_letters": [summary(letter) for letter in page.letters],
            "next_cursor": cursor_of(following, *query) if following else None,
            **about_request(),
        }
    )


def _show(arguments: dict[str, Any], chunk_id: str) -> Response:
    letter = _found(arguments, chunk_id)
    records = _dead_letters().records(letter, arguments["records"])
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


def _dead_letters() -> DeadLetters:
    resources = current_resources()
    return DeadLetters(resources.ledger, resources.clickhouse)


def _found(arguments: Mapping[str, Any], chunk_id: str) -> DeadLetter:
    workspace_id = workspace_of(arguments)
    letter = _dead_letters().one(chunk_id, workspace_id)
    if letter is None:
        abort(404, f"Workspace {workspace_id} has no dead letter with this id.")
    return letter


def filters_of_dead_letters(arguments: Mapping[str, Any]) -> DeadLetterFilter:
    """Which dead letters the arguments ask for. Raises WrongParameterError."""
    time_range = whole_time_range(arguments)
    return DeadLetterFilter(
        workspace_id=workspace_of(arguments),
        client_id=client_of(arguments),
        signal=arguments.get("signal", ""),
        reason=arguments.get("reason", ""),
        since=time_range.first_ns // NS_PER_MS / 1000,
        until=time_range.last_ns // NS_PER_MS / 1000 if "end_ns" in arguments else float("inf"),
    )
