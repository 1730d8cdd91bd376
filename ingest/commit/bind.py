"""Group commit: pieces that arrive together become few chunks and one call to the broker."""

import math
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import structlog

from config.settings import Settings
from ingest.commit.admission import Admission
from ingest.commit.allowance import DoorAllowance
from ingest.commit.direct import DirectPath
from ingest.commit.elsewhere import Elsewhere
from ingest.commit.group import Group, Receipt, Settle, Submission, WaitingRequest
from ingest.commit.memory import Memory
from ingest.convert import timeless
from ingest.convert.piece import Piece, Pieces, chunkfuls
from ingest.status import unavailable
from ledger import chunk
from ledger.chunk import Chunk, Header
from ledger.ledger import (
    BrokerAwayError,
    BrokerDoubtError,
    BrokerFullError,
    BrokerReturnedError,
    Entry,
    Ledger,
    LedgerFullError,
    LimitedError,
    RepeatedRequestsError,
)
from ledger.limits import Exceeded
from ledger.receipts import claim
from tasks.hints import Announcer

log = structlog.get_logger(__name__)

_MAX_BYTES = 4 * chunk.MAX_BYTES
"""Maximum payload bytes of a commit: the broker is blocked meanwhile."""

_ANSWERED = "answered"


class Binder:
    """Binds pieces into chunks and commits them, in its own thread."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of a lane
        self,
        settings: Settings,
        ledger: Ledger,
        admission: Admission,
        announcer: Announcer,
        direct: DirectPath,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        """Commit to `ledger`; while its broker is away, store through `direct`.

        If there are several ledgers, `elsewhere` knows what others have accepted.
        """
        self._interval = settings.commit_interval_ms / 1000
        self._patience = settings.broker_timeout
        self._retention = direct.retention
        self._ledger = ledger
        self._admission = admission
        self._announcer = announcer
        self._direct = direct
        self._elsewhere = elsewhere
        self._backlog = admission.backlogs[ledger.name]
        self._unreported = direct.unreported
        # With the chunk that the broker may have; after its answer, a request may be sent again.
        self._in_doubt: Memory[str] = Memory(settings.request_window)
        # Requests with repeated bytes but no times: each of them is an event.
        self._events: Memory[None] = Memory(settings.request_window)
        # For retries while the broker is away; clients retry within a minute.
        self._known: Memory[str] = Memory(min(60, settings.request_window))
        self._allowance = DoorAllowance()
        self._waiting: deque[WaitingRequest] = deque()
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
        """Queue a request; `settle` is called when it is safely stored, or refused."""
        if not pieces.pieces:
            settle(Receipt((), "redis"))
            return
        submission = Submission(len(pieces.pieces), settle)
        self.add((piece, submission) for piece in pieces)

    def add(self, waiting: Iterable[WaitingRequest]) -> None:
        """Queue pieces of requests."""
        self._waiting.extend(waiting)
        # Setting an event takes its lock, and usually another request has just set it.
        if not self._arrived.is_set():
            self._arrived.set()

    def _run(self) -> None:
        while not self._stopping or self._waiting:
            self._arrived.wait()
            self._arrived.clear()
            # Do not wake for each arrival: requests that arrive meanwhile only append.
            time.sleep(self._interval)
            while self._waiting:
                taken = list(self._take())
                try:
                    self._commit(Group(taken, self._ledger.name))
                except Exception:
                    # Without this thread, the door would accept nothing more.
                    log.exception("commit: failed")
                    for _, submission in taken:
                        submission.fail(unavailable("internal error; try again"))

    def _take(self) -> Iterator[WaitingRequest]:
        """The waiting pieces, as many as fit into one commit."""
        size = 0
        while self._waiting and size < _MAX_BYTES:
            piece, submission = self._waiting.popleft()
            size += len(piece.payload)
            if self._events and piece.request_id in self._events:
                piece = timeless.as_event(piece)
            yield piece, submission

    def _commit(self, group: Group) -> None:
        try:
            self._enter(group)
        finally:
            self._unreported.answer(group)

    def _enter(self, group: Group) -> None:
        deadline = time.monotonic() + self._patience
        self._unreported.report()
        group.fail(
            [piece.request_id for piece in group.pieces if piece.request_id in self._direct.busy],
            unavailable("the same request is being stored right now; try again later"),
        )
        self._answer_known(group)
        entries = self._bind(group)
        doubted = False
        while group:
            try:
                self._ledger.accept(entries, self._unreported.connects, self._admission.limits.of)
            except BrokerReturnedError:
                self._unreported.catch_up()
            except (RepeatedRequestsError, LimitedError) as problem:
                self._take_out(group, problem, entries if doubted else ())
                entries = self._bind(group)
            except LedgerFullError:
                group.fail_all(self._backlog.refusal())
            except BrokerDoubtError as error:
                doubted = True
                if time.monotonic() > deadline:
                    self._fail_unknown(group, entries, error)
            except (BrokerAwayError, BrokerFullError) as error:
                if doubted:
                    self._fail_unknown(group, entries, error)
                else:
                    self._go_direct(group, error)
                return
            else:
                self._accepted(group, entries)

    def _bind(self, group: Group) -> list[Entry]:
        """One chunk per tenant and signal; pieces that may already be stored get their own."""
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
                # From now on the ledger knows it, and a dropped dead letter may be sent again.
                self._direct.seen.discard(entry.requests[0])
            for request_id in entry.requests:
                group.place(request_id, chunk_id)
        self._announcer.announce(entry.chunk.header for entry in entries)

    def _answer_known(self, group: Group) -> None:
        """Answer requests that this ledger need not be asked about."""
        self._answer_stored(group)
        if self._elsewhere:
            self._events.add(*self._elsewhere.look(group))

    def _answer_stored(self, group: Group) -> None:
        """Answer requests that this door stored directly, or may have stored under a key."""
        if not self._direct.seen:
            return
        for piece in group.pieces:
            request_id = piece.request_id
            seen = self._direct.seen.get(request_id)
            other_body = seen is not None and seen.body != piece.body
            if seen is not None and (other_body or request_id in self._direct.done):
                group.repeat(request_id, request_id, seen.body, "db")

    def _take_out(
        self,
        group: Group,
        problem: RepeatedRequestsError | LimitedError,
        tried: Iterable[Entry],
    ) -> None:
        if isinstance(problem, LimitedError):
            for exceeded in problem.exceeded:
                self._limit(group, exceeded)
        else:
            self._repeat(group, problem, tried)

    def _repeat(self, group: Group, repeats: RepeatedRequestsError, tried: Iterable[Entry]) -> None:
        """Answer requests that the ledger knows, perhaps from the entries this commit `tried`."""
        tried_ids = {entry.chunk.header.id for entry in tried}
        for request_id, chunk_id in repeats.known.items():
            body = repeats.bodies[request_id]
            self._known.add(request_id, note=claim(chunk_id, body))
            unanswered = self._in_doubt.get(request_id) == chunk_id and not body
            if chunk_id in tried_ids or unanswered:
                group.place(request_id, chunk_id)
            elif group.repeat(request_id, chunk_id, body):
                self._events.add(request_id)
            if unanswered:
                self._in_doubt.add(request_id, note=_ANSWERED)

    def _limit(self, group: Group, exceeded: Exceeded) -> None:
        """Keep what its workspace may still send now, and refuse the rest."""
        records = math.inf if exceeded.records < 0 else exceeded.records
        size = math.inf if exceeded.bytes < 0 else exceeded.bytes
        refused = []
        concerned = [p for p in group.pieces if p.tenant.workspace_id == exceeded.workspace_id]
        for piece in concerned:
            # At least the last, so that less is left for the next attempt.
            fits = piece.records <= records and len(piece.payload) <= size
            if fits and piece is not concerned[-1]:
                records -= piece.records
                size -= len(piece.payload)
            else:
                refused.append(piece.request_id)
        group.fail(refused, self._admission.gate.close(exceeded))

    def _limit_here(self, group: Group) -> None:
        """Apply limits without the broker."""
        for workspace_id in {piece.tenant.workspace_id for piece in group.pieces}:
            limits = self._admission.limits.of(workspace_id)
            if not any(limits.of_intake):
                continue
            while pieces := [p for p in group.pieces if p.tenant.workspace_id == workspace_id]:
                records = sum(piece.records for piece in pieces)
                size = sum(len(piece.payload) for piece in pieces)
                exceeded = self._allowance.take(workspace_id, limits, records, size)
                if exceeded is None:
                    break
                self._limit(group, exceeded)

    def _fail_unknown(self, group: Group, entries: Iterable[Entry], error: Exception) -> None:
        """Fail the group: if the commit did happen, a direct insert would store it twice."""
        for entry in entries:
            self._in_doubt.add(*entry.requests, note=entry.chunk.header.id)
        log.warning("commit: outcome unknown", error=str(error))
        group.fail_all(unavailable("the broker did not answer; repeat the same request"))

    def _go_direct(self, group: Group, error: Exception) -> None:
        # The broker has these, though it cannot confirm it now: a client lost the answer.
        for piece in group.pieces:
            if text := self._known.get(piece.request_id):
                chunk_id, _, body = text.partition(" ")
                group.repeat(piece.request_id, chunk_id, body)
        group.fail(
            [piece.request_id for piece in group.pieces if piece.request_id in self._in_doubt],
            unavailable("the broker is not available, but may have this request; try again later"),
        )
        if group and (refusal := self._admission.space.refusal()):
            group.fail_all(refusal)
        self._limit_here(group)
        if group:
            log.debug("commit: storing directly", error=str(error))
            full = isinstance(error, BrokerFullError)
            self._direct.store(group, full=full, why=str(error))
