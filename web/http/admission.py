"""Admission of queries: which run, which wait, and which are refused."""

import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any

import structlog
from flask import Flask, Response, current_app, request

from config.hung_up import hung_up
from config.settings import Settings
from storage.clickhouse.budget import Allowance
from storage.clickhouse.errors import QUERY_WAS_CANCELLED, TIMEOUT_EXCEEDED, QueryRefusedError
from web.http.costs import Cost, CostOf
from web.http.lanes import ClientGoneError, Lane, LaneFullError
from web.http.workspace_limits import Places, QueryLimits, limits_of_request

log = structlog.get_logger(__name__)

_KEY = "sheaf.admission"
_LIGHT_PLACES = 4
_WATCH_SECONDS = 0.25
_GRACE_SECONDS = 1.0
"""How long ClickHouse may take to notice that a query's time is up."""

# ClickHouse's priorities: 1 is highest, and queries with a higher number pause for it.
_LIGHT_FIRST = {"priority": 1}
_HEAVY_LATER = {"priority": 10, "low_priority_query_wait_time_ms": 200}


def heavy_slots(settings: Settings) -> int:
    """How many heavy queries run at a time."""
    return settings.query_slots or max(2, (os.cpu_count() or 1) // 2)


def held_threads(settings: Settings) -> int:
    """How many threads heavy queries and streams may hold; other requests have the rest."""
    return 2 * heavy_slots(settings) + 2 * settings.query_waiting


class BusyError(Exception):
    """A request is refused for now; the text says why, as a sentence."""


class QueryAdmission:
    """The lanes of one app, and the thread that cancels their queries."""

    def __init__(self, settings: Settings) -> None:
        slots, waiting = heavy_slots(settings), settings.query_waiting
        self._settings = settings
        self._places = Places()
        self.lanes: dict[Cost, Lane] = {
            "light": Lane(_LIGHT_PLACES, settings.door_threads),
            "heavy": Lane(slots, waiting),
            "stream": Lane(slots, waiting),
        }
        self._watched: dict[Allowance, Callable[[], bool]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def answer(
        self, cost: Cost, view: Callable[[], Response], arguments: Mapping[str, Any]
    ) -> Response:
        """Answer the current request when its turn comes.

        Raises:
            BusyError: too many others wait, or the turn does not come in time.
            LimitReachedError: its workspace has as many queries as it may have.
        """
        if cost == "none":
            return view()
        lane, began, of_workspace = self.lanes[cost], time.monotonic(), limits_of_request(arguments)
        is_gone = _client_gone()
        with ExitStack() as held:
            held.callback(self._places.enter(of_workspace))
            self._enter(lane, began, is_gone)
            held.callback(lane.leave)
            if cost == "stream":
                allowance = _allowance(math.inf, _HEAVY_LATER, of_workspace)
                return _streamed(held.pop_all().close, view, allowance)
            end = began + self._settings.query_max_seconds
            allowance = _allowance(end, self._share(cost, lane), of_workspace)
            with self._watching(allowance, is_gone), allowance.spent():
                return view()

    def _enter(self, lane: Lane, began: float, is_gone: Callable[[], bool]) -> None:
        try:
            lane.enter(began + self._settings.query_max_seconds / 2, is_gone)
        except LaneFullError as error:
            text = f"The database is busy with other queries: {error}; try again later."
            raise BusyError(text) from None
        except ClientGoneError:
            raise BusyError("The client has disconnected.") from None

    def _share(self, cost: Cost, lane: Lane) -> dict[str, Any]:
        """ClickHouse settings of a request that begins now."""
        if cost == "light":
            return _LIGHT_FIRST
        # Concurrent queries share the cores of this machine with the embedded ClickHouse.
        several = self._settings.embedded_clickhouse and lane.taken > 1
        threads = {"max_threads": max(1, (os.cpu_count() or 1) // lane.places)}
        return _HEAVY_LATER | (threads if several else {})

    @contextmanager
    def _watching(self, allowance: Allowance, is_gone: Callable[[], bool]) -> Iterator[None]:
        with self._lock:
            self._watched[allowance] = is_gone
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="queries", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                del self._watched[allowance]

    def _watch(self) -> None:
        """Cancel queries whose client has disconnected or whose time limit is exceeded."""
        while True:
            time.sleep(_WATCH_SECONDS)
            with self._lock:
                watched = list(self._watched.items())
            for allowance, is_gone in watched:
                if time.monotonic() > allowance.end + _GRACE_SECONDS:
                    text = "The time limit of this request is exceeded"
                    allowance.cancel(QueryRefusedError(text, TIMEOUT_EXCEEDED))
                elif is_gone():
                    text = "The client has disconnected"
                    allowance.cancel(QueryRefusedError(text, QUERY_WAS_CANCELLED))


def admit_requests(app: Flask, settings: Settings) -> None:
    """Add the lanes to `app`."""
    app.extensions[_KEY] = QueryAdmission(settings)


def close_lanes(app: Flask) -> None:
    """Refuse the requests that wait, because the API is stopping; running ones are answered."""
    admission: QueryAdmission = app.extensions[_KEY]
    for lane in admission.lanes.values():
        lane.close()


def admitted(view: Callable[..., Response], cost: CostOf, *given: Any, **named: Any) -> Response:  # noqa: ANN401 - a view's
    """Answer the current request with a view of checked arguments, when its turn comes."""
    arguments = given[0] if given and isinstance(given[0], dict) else {}
    admission: QueryAdmission = current_app.extensions[_KEY]
    of_request = cost(arguments) if callable(cost) else cost
    return admission.answer(of_request, partial(view, *given, **named), arguments)


def _allowance(end: float, settings: Mapping[str, Any], of_workspace: QueryLimits) -> Allowance:
    """What a request that runs now may use; an answer that streams has no `end`."""
    seconds = of_workspace.limits.query_seconds or math.inf
    if end < math.inf:
        end = min(end, time.monotonic() + seconds)
    return Allowance(end, {**settings, **of_workspace.settings}, seconds)


def _streamed(
    release: Callable[[], None], view: Callable[[], Response], allowance: Allowance
) -> Response:
    """A view's answer. Its place becomes free once it is sent or the client has disconnected."""
    leave = _once(release)
    try:
        with allowance.spent():
            response = view()
    except BaseException:
        leave()
        raise
    response.response = _pieces(response.response, allowance, leave)
    # A generator that was never started does not run its `finally`.
    response.call_on_close(leave)
    return response


def _pieces(given: Iterable[Any], allowance: Allowance, leave: Callable[[], None]) -> Iterator[Any]:
    pieces = iter(given)
    try:
        while True:
            with allowance.spent():
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece
    finally:
        if isinstance(pieces, Generator):
            pieces.close()
        leave()


def _once(act: Callable[[], None]) -> Callable[[], None]:
    """`act`, but only on the first call."""
    left = deque([act])

    def first() -> None:
        with suppress(IndexError):
            left.pop()()

    return first


def _client_gone() -> Callable[[], bool]:
    """Whether the current request's client has disconnected; always False without gunicorn."""
    connection = request.environ.get("gunicorn.socket")
    return partial(hung_up, connection) if connection is not None else lambda: False
