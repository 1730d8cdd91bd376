"""Connections that wait for their clients: reading from them and timing them out."""

import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice, takewhile
from typing import Any, Protocol

from serving.connection import Connection, Wait
from serving.refusal import FrontError

_READ = 1 << 18
_READ_WITHOUT_ROOM = 1 << 16
_READS = 4
"""Reads from one connection before it is the others' turn."""

_SMALL = 16 * 1024
"""Bytes of a request that need no reservation."""

_MIN_RATE = 512
"""Bytes per second that a client must send or read."""

_LITTLE = 1024
_LITTLE_READS = 3
_TURN_SECONDS = 0.05
_ROUND_TURNS = 20
_SWEEP_SECONDS = 1.0
_STOP_SWEEP_SECONDS = 0.1
_ROOM_SECONDS = 30.0
_MAX_DROPPED = 200
"""Connections closed in one sweep, so that the others are not delayed."""

_ROOM = 64 << 20


class Front(Protocol):
    """Handles connections that have waited."""

    poller: Any

    def on_event(self, conn: Connection, _: object) -> None:
        """The socket is ready."""

    def enqueue_req(self, conn: Connection) -> None:
        """The request is complete."""

    def refuse(self, conn: Connection, error: FrontError) -> None:
        """The connection has waited too long: answer with `error` and close it."""

    def close(self, conn: Connection) -> None:
        """The connection has waited too long, and there is no request to answer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for clients."""

    body: int
    """Maximum bytes of a body."""
    connections: int
    receive_seconds: float
    """Timeout of a head, and the period over which the rate of a body is checked."""


class WaitingConnections:
    """Connections that no thread serves, in the order in which they began to wait."""

    def __init__(self, front: Front, limits: Limits) -> None:
        """Report what happens to the connections to `front`."""
        self._front = front
        self._seconds = limits.receive_seconds
        self._room = max(_ROOM, 4 * limits.body)
        self._reserved = 0
        self._all: dict[Connection, None] = {}
        self._slow: deque[Connection] = deque()
        self._for_room: deque[Connection] = deque()
        self._next_turn = 0.0
        self._next_sweep = 0.0
        self._sweep_seconds = _SWEEP_SECONDS

    def __contains__(self, conn: object) -> bool:
        return conn in self._all

    @property
    def is_busy(self) -> bool:
        """Whether some connections are polled in turn instead of by events."""
        return bool(self._slow)

    def add(self, conn: Connection, wait: Wait, seconds: float) -> None:
        """Let a connection wait for something, for at most `seconds`."""
        conn.wait = wait
        conn.since = time.monotonic()
        conn.due = conn.since + seconds
        conn.mark = conn.progress
        conn.seen = conn.progress
        conn.look_due = conn.since + _SWEEP_SECONDS
        self._all[conn] = None
        self._watch(conn)

    def remove(self, conn: Connection) -> None:
        """Stop waiting on a connection."""
        self._all.pop(conn, None)
        self._unwatch(conn)

    def gather(self, conn: Connection) -> None:
        """Receive the rest of a request."""
        self.add(conn, Wait.REST, self._seconds)
        self._find_room(conn)

    def read(self, conn: Connection) -> None:
        """Receive what has arrived of a request.

        Raises:
            OSError: the client is gone.
            EOFError: the client closed without sending a request.
        """
        before = conn.progress
        with suppress(BlockingIOError):
            for _ in range(_READS):
                if conn.receive(_READ if conn.reserved else _READ_WITHOUT_ROOM):
                    self.remove(conn)
                    self._front.enqueue_req(conn)
                    return
                if not self._find_room(conn):
                    return
        self._pace(conn, conn.progress - before)

    def release(self, conn: Connection) -> None:
        """Release the memory of a body to requests that wait for it."""
        self._reserved -= conn.reserved
        conn.reserved = 0
        while self._for_room:
            first = self._for_room[0]
            if first in self._all and first.wait is Wait.ROOM:
                if not self._reserve(first):
                    return
                self._all.pop(first)
                self.add(first, Wait.REST, self._seconds)
                with suppress(OSError):
                    first.send_continue()
            self._for_room.popleft()

    def look(self) -> None:
        """Read from slow senders whose turn it is, and drop connections that timed out."""
        now = time.monotonic()
        if self._slow and now >= self._next_turn:
            self._next_turn = now + _TURN_SECONDS
            for _ in range(1 + len(self._slow) // _ROUND_TURNS):
                self._take_turn(self._slow.popleft())
        if now >= self._next_sweep:
            dropped = self._sweep(now)
            self._next_sweep = now + (
                self._sweep_seconds if dropped < _MAX_DROPPED else _TURN_SECONDS
            )

    def drop_oldest(self, count: int, seconds: float = 0.0) -> int:
        """Close up to `count` connections that waited longest; returns how many.

        Connections that have waited for less than `seconds` stay.
        """
        # Prefer those that are not being answered.
        latest = time.monotonic() - seconds
        idle = (conn for conn in self._all if conn.wait is not Wait.READER)
        found = list(islice(idle, count)) or list(islice(self._all, count))
        found = list(takewhile(lambda conn: conn.since <= latest, found))
        for conn in found:
            self._drop(conn)
        return len(found)

    def drop_all(self) -> None:
        """Close all connections."""
        for conn in list(self._all):
            self._drop(conn)

    def cap(self, idle: float, others: float) -> None:
        """Let no wait last beyond these times; `idle` is for clients that sent nothing yet."""
        self._sweep_seconds = _STOP_SWEEP_SECONDS
        self._next_sweep = 0.0
        for conn in self._all:
            conn.due = min(conn.due, idle if conn.wait is Wait.REQUEST else others)

    def _watch(self, conn: Connection) -> None:
        if not conn.is_registered:
            conn.is_registered = True
            event = partial(self._front.on_event, conn)
            self._front.poller.register(conn.socket, conn.wait.events, event)

    def _unwatch(self, conn: Connection) -> None:
        if conn.is_registered:
            conn.is_registered = False
            self._front.poller.unregister(conn.socket)

    def _find_room(self, conn: Connection) -> bool:
        """Reserve memory for a request that is not small; if there is none, the client waits."""
        if conn.arrival.room > max(_SMALL, conn.reserved) and not self._reserve(conn):
            self._wait_for_room(conn)
            return False
        if conn.arrival.expects:
            conn.send_continue()
        return True

    def _reserve(self, conn: Connection) -> bool:
        others, room = self._reserved - conn.reserved, conn.arrival.room
        if others and others + room > self._room:
            return False
        conn.reserved = room
        self._reserved = others + room
        return True

    def _wait_for_room(self, conn: Connection) -> None:
        conn.wait = Wait.ROOM
        conn.due = time.monotonic() + _ROOM_SECONDS
        self._unwatch(conn)
        # Each of them keeps what has already arrived.
        if len(self._for_room) < self._room // _READ_WITHOUT_ROOM:
            self._for_room.append(conn)
        else:
            self._drop(conn)

    def _pace(self, conn: Connection, gained: int) -> None:
        """Poll slow senders in turn, instead of reading every few bytes."""
        conn.reads = conn.reads + 1 if gained < _LITTLE else 0
        if conn.reads < _LITTLE_READS:
            self._watch(conn)
        elif conn.is_registered:
            self._unwatch(conn)
            self._slow.append(conn)

    def _take_turn(self, conn: Connection) -> None:
        if conn not in self._all or conn.wait is not Wait.REST or conn.is_registered:
            return
        self._front.on_event(conn, None)
        if conn in self._all and conn.wait is Wait.REST and not conn.is_registered:
            self._slow.append(conn)

    def _sweep(self, now: float) -> int:
        """Drop connections that wait too long or hold up others; returns how many."""
        dropped = 0
        readers = (conn for conn in self._all if conn.wait is Wait.READER)
        held = sum(conn.sock.size + len(conn.arrival.rest) for conn in readers)
        is_short = bool(self._for_room) or held > self._room
        for conn in list(self._all):
            is_stuck = self._holds_up(conn, now) and is_short
            if is_stuck or (now >= conn.due and not self._progresses(conn, now)):
                self._drop(conn)
                dropped += 1
            if dropped >= _MAX_DROPPED:
                break
        return dropped

    @staticmethod
    def _holds_up(conn: Connection, now: float) -> bool:
        """Whether a client holds memory that others wait for, and is too slow to finish soon."""
        if now < conn.look_due:
            return False
        gained = conn.progress - conn.seen
        conn.seen, conn.look_due = conn.progress, now + _SWEEP_SECONDS
        holds = conn.reserved or conn.sock.size
        return bool(holds) and gained < max(_LITTLE, conn.reserved / _ROOM_SECONDS)

    def _progresses(self, conn: Connection, now: float) -> bool:
        """Whether a late client has sent or read enough; if so, extends its deadline."""
        is_begun = conn.wait is Wait.READER or (conn.wait is Wait.REST and conn.arrival.has_head)
        enough = conn.progress - conn.mark >= _MIN_RATE * self._seconds
        if is_begun and enough:
            conn.mark = conn.progress
            conn.due = now + self._seconds
        return is_begun and enough

    def _drop(self, conn: Connection) -> None:
        self.remove(conn)
        if conn.wait is Wait.REST and conn.arrival.size:
            self._front.refuse(conn, FrontError(408, "The request did not arrive in time."))
        elif conn.wait is Wait.ROOM:
            text = "Too many large requests at once; try again later."
            self._front.refuse(conn, FrontError(503, text))
        else:
            self._front.close(conn)
