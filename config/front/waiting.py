"""Connections that wait for their clients: how they are read, and how long they may wait."""

import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice, takewhile
from typing import Any, Protocol

from config.front.connection import Connection, Wait
from config.front.refusal import FrontError

_READ = 1 << 18
_READ_WITHOUT_ROOM = 1 << 16
_READS = 4
"""Reads of one connection, before others get their turn."""

_SMALL = 16 * 1024
"""Bytes of a request that need no room."""

_LEAST_RATE = 512
"""Bytes a second that a client must send or take."""

_LITTLE = 1024
_LITTLE_READS = 3
_TURN_SECONDS = 0.05
_ROUND_TURNS = 20
_SWEEP_SECONDS = 1.0
_ROOM_SECONDS = 30.0
_MOST_DROPPED = 200
"""Connections closed at a time: the others are not to notice it."""

_ROOM = 64 << 20


class Front(Protocol):
    """What is done with a connection that has waited."""

    poller: Any

    def on_event(self, conn: Connection, _: object) -> None:
        """Its socket is ready."""

    def enqueue_req(self, conn: Connection) -> None:
        """Its request is whole."""

    def refuse(self, conn: Connection, error: FrontError) -> None:
        """It has waited too long."""

    def close(self, conn: Connection) -> None:
        """As above, and there is nothing to say."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the front takes from clients."""

    body: int
    """Bytes of a body."""
    connections: int
    receive_seconds: float
    """For a head; and within as many seconds, a body must get on."""


class Waiting:
    """Connections that no thread is at, in the order in which they began to wait."""

    def __init__(self, front: Front, limits: Limits) -> None:
        """Tell `front` what becomes of them."""
        self._front = front
        self._seconds = limits.receive_seconds
        self._room = max(_ROOM, 4 * limits.body)
        self._reserved = 0
        self._all: dict[Connection, None] = {}
        self._slow: deque[Connection] = deque()
        self._for_room: deque[Connection] = deque()
        self._next_turn = 0.0
        self._next_sweep = 0.0

    def __contains__(self, conn: object) -> bool:
        return conn in self._all

    @property
    def is_busy(self) -> bool:
        """Whether some are looked at in turn instead of by events."""
        return bool(self._slow)

    def add(self, conn: Connection, wait: Wait, seconds: float) -> None:
        """Have a connection wait for something, so many seconds at most."""
        conn.wait = wait
        conn.since = time.monotonic()
        conn.due = conn.since + seconds
        conn.mark = conn.progress
        conn.seen = conn.progress
        conn.look_due = conn.since + _SWEEP_SECONDS
        self._all[conn] = None
        self._watch(conn)

    def remove(self, conn: Connection) -> None:
        """It waits no more."""
        self._all.pop(conn, None)
        self._unwatch(conn)

    def gather(self, conn: Connection) -> None:
        """Read the rest of a request that has begun."""
        self.add(conn, Wait.REST, self._seconds)
        self._find_room(conn)

    def read(self, conn: Connection) -> None:
        """Take what has come of a request.

        Raises:
            OSError: the client is gone.
            EOFError: it has ended without a request.
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
        """Give back the memory of a body; others may wait for it."""
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
                    first.go_on()
            self._for_room.popleft()

    def look(self) -> None:
        """Read those whose turn it is, and let go of those that have waited too long."""
        now = time.monotonic()
        if self._slow and now >= self._next_turn:
            self._next_turn = now + _TURN_SECONDS
            for _ in range(1 + len(self._slow) // _ROUND_TURNS):
                self._take_turn(self._slow.popleft())
        if now >= self._next_sweep:
            dropped = self._sweep(now)
            self._next_sweep = now + (_SWEEP_SECONDS if dropped < _MOST_DROPPED else _TURN_SECONDS)

    def drop_oldest(self, count: int, seconds: float = 0.0) -> int:
        """Close those that have waited longest, and so many seconds; gives how many that are."""
        # An answer that is under way is worth more than a request that may come.
        latest = time.monotonic() - seconds
        idle = (conn for conn in self._all if conn.wait is not Wait.READER)
        found = list(islice(idle, count)) or list(islice(self._all, count))
        found = list(takewhile(lambda conn: conn.since <= latest, found))
        for conn in found:
            self._drop(conn)
        return len(found)

    def drop_all(self) -> None:
        """Close all."""
        for conn in list(self._all):
            self._drop(conn)

    def cap(self, idle: float, others: float) -> None:
        """Set deadlines for waiting clients; the first is for those that have sent nothing yet."""
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
        """Set memory aside for a request that is not small; without any, the client waits."""
        if conn.arrival.room > max(_SMALL, conn.reserved) and not self._reserve(conn):
            self._wait_for_room(conn)
            return False
        if conn.arrival.expects:
            conn.go_on()
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
        # Each of them holds what it has sent already.
        if len(self._for_room) < self._room // _READ_WITHOUT_ROOM:
            self._for_room.append(conn)
        else:
            self._drop(conn)

    def _pace(self, conn: Connection, gained: int) -> None:
        """Read in turn, not at every byte, who sends little by little."""
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
        """Let go of who waits too long, or holds up others; gives how many that are."""
        dropped = 0
        readers = (conn for conn in self._all if conn.wait is Wait.READER)
        held = sum(conn.sock.size + len(conn.arrival.rest) for conn in readers)
        is_short = bool(self._for_room) or held > self._room
        for conn in list(self._all):
            is_stuck = self._holds_up(conn, now) and is_short
            if is_stuck or (now >= conn.due and not self._gets_on(conn, now)):
                self._drop(conn)
                dropped += 1
            if dropped >= _MOST_DROPPED:
                break
        return dropped

    @staticmethod
    def _holds_up(conn: Connection, now: float) -> bool:
        """Whether a client holds memory, and moves too little to be done while others wait."""
        if now < conn.look_due:
            return False
        gained = conn.progress - conn.seen
        conn.seen, conn.look_due = conn.progress, now + _SWEEP_SECONDS
        holds = conn.reserved or conn.sock.size
        return bool(holds) and gained < max(_LITTLE, conn.reserved / _ROOM_SECONDS)

    def _gets_on(self, conn: Connection, now: float) -> bool:
        """Whether a client that is late has sent or taken enough to go on."""
        is_begun = conn.wait is Wait.READER or (conn.wait is Wait.REST and conn.arrival.has_head)
        enough = conn.progress - conn.mark >= _LEAST_RATE * self._seconds
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
