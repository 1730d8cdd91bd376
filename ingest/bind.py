"""Group commit: pieces that arrive together become few chunks and one trip to the broker."""

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import structlog

from config.settings import Settings
from ingest import timeless
from ingest.admission import Admission
from ingest.direct import DirectPath
from ingest.group import Group, Receipt, Settle, Submission, Waiting
from ingest.memory import Memory
from ingest.piece import Piece, Pieces, chunkfuls
from ingest.status import unavailable
from tasks import chunk
from tasks.announce import Announcer
from tasks.chunk import Chunk, Header
from tasks.ledger import (
    BrokerAwayError,
    BrokerDoubtError,
    BrokerFullError,
    BrokerReturnedError,
    Entry,
    Ledger,
    LedgerFullError,
    RepeatedRequestsError,
)
from tasks.receipts import claim

log = structlog.get_logger(__name__)

_MOST_BYTES = 4 * chunk.MAX_BYTES
"""Most payload bytes in one commit: the broker is busy with nothing else meanwhile."""

_ANSWERED = "answered"


class Binder:
    """Binds pieces into chunks and commits them, in a thread of its own."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        admission: Admission,
        announcer: Announcer,
        direct: DirectPath,
    ) -> None:
        """Commit to `ledger`; while it is away, store through `direct`."""
        self._interval = settings.commit_interval_ms / 1000
        self._patience = settings.broker_timeout
        self._retention = direct.retention
        self._ledger = ledger
        self._admission = admission
        self._announcer = announcer
        self._direct = direct
        self._untold = direct.untold
        # With the chunk that the broker may have; once answered for, a request may come anew.
        self._in_doubt: Memory[str] = Memory(settings.request_window)
        # Requests whose bytes come again and carry no time at all: each is an event.
        self._events: Memory[None] = Memory(settings.request_window)
        # For a retry while the broker is away: a minute is longer than a client takes for it.
        self._known: Memory[str] = Memory(min(60, settings.request_window))
        self._waiting: deque[Waiting] = deque()
        self._arrived = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="binder", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Commit what was submitted, then end the thread."""
        self._stopping = True
        self._arrived.set()
        self._thread.join(timeout=20)

    def submit(self, pieces: Pieces, settle: Settle) -> None:
        """Hand a request over; `settle` is called when it is safe, or refused."""
        if not pieces.pieces:
            settle(Receipt((), "redis"))
            return
        submission = Submission(len(pieces.pieces), settle)
        self._waiting.extend((piece, submission) for piece in pieces)
        # To set an event takes its lock, and mostly another request has set it just before.
        if not self._arrived.is_set():
            self._arrived.set()

    def _run(self) -> None:
        while not self._stopping or self._waiting:
            self._arrived.wait()
            self._arrived.clear()
            # Not woken for each arrival: what comes meanwhile costs its sender an append.
            time.sleep(self._interval)
            while self._waiting:
                taken = list(self._take())
                try:
                    self._commit(Group(taken))
                except Exception:
                    # Without this thread, the door would take nothing more.
                    log.exception("commit: failed")
                    for _, submission in taken:
                        submission.fail(unavailable("an internal fault; try again"))

    def _take(self) -> Iterator[Waiting]:
        """What waits, as far as one commit may hold it."""
        size = 0
        while self._waiting and size < _MOST_BYTES:
            piece, submission = self._waiting.popleft()
            size += len(piece.payload)
            if self._events and piece.request_id in self._events:
                piece = timeless.as_event(piece)
            yield piece, submission

    def _commit(self, group: Group) -> None:
        try:
            self._enter(group)
        finally:
            self._untold.answer(group)

    def _enter(self, group: Group) -> None:
        deadline = time.monotonic() + self._patience
        self._untold.tell()
        group.fail(
            [piece.request_id for piece in group.pieces if piece.request_id in self._direct.busy],
            unavailable("the same request is being stored at this moment; repeat it later"),
        )
        self._pass_over_done(group)
        entries = self._bind(group)
        doubted = False
        while group:
            try:
                self._ledger.accept(entries, self._untold.connects)
            except BrokerReturnedError:
                self._untold.catch_up()
            except RepeatedRequestsError as repeats:
                self._repeat(group, repeats, entries if doubted else ())
                entries = self._bind(group)
            except LedgerFullError:
                group.fail_all(self._admission.overloaded())
            except BrokerDoubtError as error:
                doubted = True
                if time.monotonic() > deadline:
                    self._doubt(group, entries, error)
            except (BrokerAwayError, BrokerFullError) as error:
                if doubted:
                    self._doubt(group, entries, error)
                else:
                    self._go_direct(group, error)
                return
            else:
                self._accepted(group, entries)

    def _bind(self, group: Group) -> list[Entry]:
        """Chunks of one tenant and signal each; what may be stored already, on its own."""
        received_at = time.time_ns()
        entries = []
        bound: dict[tuple[object, str], list[Piece]] = {}
        for piece in group.pieces:
            seen = self._direct.seen.get(piece.request_id)
            if seen is not None:
                entries.append(self._entry([piece], seen.at_ns, tried=True))
            else:
                bound.setdefault((piece.tenant, piece.signal), []).append(piece)
        for pieces in bound.values():
            entries += [self._entry(part, received_at) for part in chunkfuls(pieces)]
        return entries

    def _entry(self, pieces: Sequence[Piece], received_at: int, *, tried: bool = False) -> Entry:
        payload = b"".join(piece.payload for piece in pieces)
        first = pieces[0]
        header = Header(
            version=chunk.VERSION,
            id=first.request_id if tried else chunk.new_id(),
            signal=first.signal,
            workspace_id=first.tenant.workspace_id,
            client_id=first.tenant.client_id,
            records=sum(piece.records for piece in pieces),
            bytes=len(payload),
            received_at=received_at,
            retention_days=self._retention.days(first.tenant.workspace_id, first.signal),
        )
        requests = tuple(piece.request_id for piece in pieces)
        bodies = {piece.request_id: piece.body for piece in pieces if piece.body}
        return Entry(Chunk(header, chunk.compress(payload)), requests, tried, bodies)

    def _accepted(self, group: Group, entries: Sequence[Entry]) -> None:
        for entry in entries:
            chunk_id = entry.chunk.header.id
            self._known.add(*entry.requests, note=chunk_id)
            for request_id, body in entry.bodies.items():
                self._known.add(request_id, note=claim(chunk_id, body))
            if entry.tried:
                # From now on the ledger knows, and a dropped dead letter may come again.
                self._direct.seen.discard(entry.requests[0])
            for request_id in entry.requests:
                group.place(request_id, chunk_id)
        self._announcer.announce(entry.chunk.header for entry in entries)

    def _pass_over_done(self, group: Group) -> None:
        """Answer for what this door has stored around the broker, or may have under a key."""
        if not self._direct.seen:
            return
        for piece in group.pieces:
            request_id = piece.request_id
            seen = self._direct.seen.get(request_id)
            other_body = seen is not None and seen.body != piece.body
            if seen is not None and (other_body or request_id in self._direct.done):
                group.repeat(request_id, request_id, seen.body, "db")

    def _repeat(self, group: Group, repeats: RepeatedRequestsError, tried: Iterable[Entry]) -> None:
        """Answer for what the ledger knows; it may know it from what this commit has `tried`."""
        own = {entry.chunk.header.id for entry in tried}
        for request_id, chunk_id in repeats.known.items():
            body = repeats.bodies[request_id]
            self._known.add(request_id, note=claim(chunk_id, body))
            unanswered = self._in_doubt.get(request_id) == chunk_id and not body
            if chunk_id in own or unanswered:
                group.place(request_id, chunk_id)
            elif group.repeat(request_id, chunk_id, body):
                self._events.add(request_id)
            if unanswered:
                self._in_doubt.add(request_id, note=_ANSWERED)

    def _doubt(self, group: Group, entries: Iterable[Entry], error: Exception) -> None:
        """The commit may have happened: storing it directly as well might store it twice."""
        for entry in entries:
            self._in_doubt.add(*entry.requests, note=entry.chunk.header.id)
        log.warning("commit: outcome unknown", error=str(error))
        group.fail_all(unavailable("the broker did not answer; the same request may be repeated"))

    def _go_direct(self, group: Group, error: Exception) -> None:
        # The broker has these, though it cannot say so now: a client lost the answer.
        for piece in group.pieces:
            if text := self._known.get(piece.request_id):
                chunk_id, _, body = text.partition(" ")
                group.repeat(piece.request_id, chunk_id, body)
        group.fail(
            [piece.request_id for piece in group.pieces if piece.request_id in self._in_doubt],
            unavailable("the broker is away and may hold this request already"),
        )
        if group:
            log.debug("commit: storing directly", error=str(error))
            self._direct.store(group, full=isinstance(error, BrokerFullError))
