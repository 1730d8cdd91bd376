"""Lanes: limits on how many requests of a kind run at a time and how many wait, in order."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_LOOK_SECONDS = 1.0
"""How often a waiting request checks whether its client is still connected."""


class LaneFullError(Exception):
    """No place in the lane is free; the text says why, as a clause."""


class ClientGoneError(Exception):
    """The client has disconnected."""


class Lane:
    """`places` for requests, given in order of arrival; up to `waiting` more requests wait."""

    def __init__(self, places: int, waiting: int) -> None:
        self.places = places
        self._waiting = waiting
        self._free = places
        self._turns: deque[threading.Event] = deque()
        self._lock = threading.Lock()
        self._closed = False

    @property
    def taken(self) -> int:
        """Requests that have a place."""
        return self.places - self._free

    @property
    def waiting(self) -> int:
        """Requests that wait for a place."""
        return len(self._turns)

    def close(self) -> None:
        """Refuse all waiting requests, within a second; running ones keep their places."""
        self._closed = True

    @contextmanager
    def place(self, until: float, is_gone: Callable[[], bool]) -> Iterator[None]:
        """Hold a place during the block. See :meth:`enter`."""
        self.enter(until, is_gone)
        try:
            yield
        finally:
            self.leave()

    def enter(self, until: float, is_gone: Callable[[], bool]) -> None:
        """Take a place, to be given back by :meth:`leave`.

        Args:
            until: how long to wait, by `time.monotonic`.
            is_gone: whether the client has disconnected.

        Raises:
            LaneFullError: too many wait already, or no place became free in time.
            ClientGoneError: the client has disconnected.
        """
        with self._lock:
            if self._free:
                self._free -= 1
                return
            if len(self._turns) >= self._waiting:
                raise LaneFullError("too many queries are waiting already")
            turn = threading.Event()
            self._turns.append(turn)
        self._wait(turn, until, is_gone)

    def leave(self) -> None:
        """Pass the place on to the request that has waited longest."""
        with self._lock:
            if self._turns:
                self._turns.popleft().set()
            else:
                self._free += 1

    def _wait(self, turn: threading.Event, until: float, is_gone: Callable[[], bool]) -> None:
        while not turn.wait(max(0.0, min(_LOOK_SECONDS, until - time.monotonic()))):
            if is_gone():
                if not self._give_up(turn):
                    self.leave()
                raise ClientGoneError
            over = time.monotonic() >= until
            if (over or self._closed) and self._give_up(turn):
                raise LaneFullError(
                    "no slot became free in time" if over else "the API is stopping"
                )

    def _give_up(self, turn: threading.Event) -> bool:
        """Stop waiting; False if the place was given just now."""
        with self._lock:
            if turn.is_set():
                return False
            self._turns.remove(turn)
            return True
