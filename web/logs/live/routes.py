"""The live tail: log records as they are stored, over server-sent events and a WebSocket.

Both take the filters of a search, but no time range. They first send that they are ready, then a
line for each record, and in between how many were skipped because the reader, or its rate limit,
is too slow.
"""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec
from flask import Blueprint, Flask, Response, abort, g, request
from werkzeug.exceptions import ServiceUnavailable
from wsproto.frame_protocol import CloseReason

from serving.cors import origins_of
from web.http.access import SUBPROTOCOL, needs, still_allowed
from web.http.arguments import ArgumentsParser
from web.http.blueprint import ApiBlueprint
from web.http.errors import RETRY_AFTER
from web.http.origin import is_same_origin, refusal
from web.http.workspace_limits import limits_of
from web.logs.arguments import FilterArguments
from web.logs.live.hub import LiveHub, Reader, TooManyReadersError
from web.logs.live.socket import HijackedResponse, LiveSocket
from web.logs.view import filters_of

LIVE = "sheaf.live"
"""The hub's key in the app's extensions."""

HEARTBEAT_SECONDS = 15.0

_STALLED_SECONDS = 30.0
"""How long a reader may read nothing before it is disconnected, as by the HTTP server."""

_KERNEL_BYTES = 64 * 1024

Event = tuple[str, str]
"""A name, empty for a log record, and JSON."""

_WAIT_SECONDS = 1.0

_RECONNECT: Event = ("reconnect", '{"reconnect": true}')
_AGAIN_MS = 500
"""After how many milliseconds a browser connects again."""

_EVENTS = "text/event-stream"


class LiveArguments(FilterArguments):
    """Which log records to show as they are stored."""

    class Meta(FilterArguments.Meta):
        """No time range: a record is shown when it is stored, whatever its own time."""

        exclude = ("start_ns", "end_ns")


def end_streams(app: Flask) -> None:
    """Tell the readers of the live tail to connect again, because the API is stopping."""
    app.extensions[LIVE].stop()


def live_blueprint(hub: LiveHub) -> ApiBlueprint:
    """The route `/logs/live`."""
    blueprint = ApiBlueprint("live", __name__, description="Live tail")

    @blueprint.endpoint(
        "/logs/live",
        _EVENTS,
        takes=LiveArguments,
        otherwise={503: "There are as many readers as may be, or the API is stopping"},
        cost="none",
    )
    def live(arguments: dict[str, Any]) -> Response:
        """Stream log records as they are stored, as server-sent events without end.

        `event: ready` comes first; from then on no record is missed silently. A record is an event
        without a name, with `data` as in a page of logs. `event: lost` with `{"lost": n}` counts
        the records skipped that match, or might match; `null` if unknown. `event: reconnect` ends
        the stream of an API that stops: connect again. `WS /ws/live` takes the same parameters and
        sends the same objects as messages; an API that stops closes it with 1012.
        """
        reader = _admitted(hub, arguments)
        stream = _stream(hub, reader, still_allowed())
        answer = Response(_server_sent(stream), content_type=_EVENTS)
        answer.headers["Cache-Control"] = "no-store"
        answer.headers["X-Accel-Buffering"] = "no"
        answer.call_on_close(partial(hub.dismiss, reader))
        return answer

    return blueprint


def live_socket_blueprint(hub: LiveHub, cors_origins: str) -> Blueprint:
    """The route `/ws/live`; browsers may open it from the API's own host and `cors_origins`."""
    blueprint = Blueprint("live_socket", __name__)
    origins = origins_of(cors_origins)

    @blueprint.before_request
    def admit() -> None:
        # Flask answers OPTIONS itself, and nobody has asked for the key then.
        if request.method == "OPTIONS":
            return
        # Only browsers send an origin.
        origin = request.headers.get("Origin", "")
        if origin and not ({"*", origin} & origins or is_same_origin()):
            abort(403, refusal())
        arguments = ArgumentsParser().parse(LiveArguments(), request, location="query")
        g.live_reader = _admitted(hub, arguments)

    @blueprint.teardown_request
    def leave(_error: BaseException | None) -> None:
        if reader := g.pop("live_reader", None):
            hub.dismiss(reader)

    def live() -> Response:
        reader = LiveSocket(request.environ, HEARTBEAT_SECONDS, SUBPROTOCOL)
        # A send that takes too long ends the stream, as a closed connection does.
        with suppress(OSError):
            stream = _stream(hub, g.live_reader, still_allowed())
            _serve(reader, stream, lambda: hub.is_stopping)
        return HijackedResponse()

    needs(live, scope="read", everywhere=False, by_client=True)
    blueprint.add_url_rule("/ws/live", view_func=live, websocket=True)
    return blueprint


def _admitted(hub: LiveHub, arguments: dict[str, Any]) -> Reader:
    """A new reader; its connection is closed when it reads nothing for too long."""
    if hub.is_stopping:
        raise ServiceUnavailable("The API is stopping.", retry_after=RETRY_AFTER)
    try:
        filters = filters_of(arguments)
        reader = hub.admit(filters, limits_of(filters.workspace_id).live_readers)
    except TooManyReadersError as error:
        raise ServiceUnavailable(str(error), retry_after=RETRY_AFTER) from None
    if connection := request.environ.get("gunicorn.socket"):
        _hold_little(connection)
    return reader


def _hold_little(connection: socket.socket) -> None:
    """Keep the kernel's send buffer small, so that a reader that does not read is noticed."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BYTES)
    if user_timeout := getattr(socket, "TCP_USER_TIMEOUT", None):
        connection.setsockopt(socket.IPPROTO_TCP, user_timeout, int(1000 * _STALLED_SECONDS))


def _serve(
    reader: LiveSocket, stream: Iterator[list[Event]], is_ending: Callable[[], bool]
) -> None:
    """Send events until the API stops or the reader leaves."""
    for events in stream:
        for _, content in events:
            reader.send(content)
        if not reader.attend():
            return
    reader.close(CloseReason.SERVICE_RESTART if is_ending() else CloseReason.NORMAL_CLOSURE)


def _stream(hub: LiveHub, reader: Reader, is_allowed: Callable[[], bool]) -> Iterator[list[Event]]:
    """Events for a reader, until the API stops or its key is no longer valid.

    After a moment without any event, the list is empty.
    """
    while not reader.is_subscribed.wait(_WAIT_SECONDS):
        if hub.is_stopping:
            yield [_RECONNECT]
            return
        yield []
    yield [("ready", '{"ready": true}')]
    while not hub.is_stopping and is_allowed():
        taken = reader.take(_WAIT_SECONDS)
        events = [("", line) for line in taken.lines]
        if taken.lost != 0:
            events.append(("lost", msgspec.json.encode({"lost": taken.lost}).decode()))
        yield events
    if hub.is_stopping:
        yield [_RECONNECT]


def _server_sent(stream: Iterator[list[Event]]) -> Iterator[str]:
    """Events as text; after a long silence a comment, which detects closed connections."""
    sent_at = time.monotonic()
    for events in stream:
        if events or time.monotonic() - sent_at > HEARTBEAT_SECONDS:
            sent_at = time.monotonic()
            yield "".join(_as_text(*event) for event in events) or ": nothing new\n\n"


def _as_text(name: str, content: str) -> str:
    again = f"retry: {_AGAIN_MS}\n" if name == _RECONNECT[0] else ""
    return f"{again}event: {name}\ndata: {content}\n\n" if name else f"data: {content}\n\n"
