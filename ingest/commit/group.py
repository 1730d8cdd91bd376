"""Requests that wait for their commit, and how each gets its answer."""

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

from ingest.convert import timeless
from ingest.convert.piece import Piece
from ingest.status import Reason, RefusedError

_FAILED = -1

_counting = threading.Lock()
"""A request's pieces may be placed by several threads."""


class Receipt(msgspec.Struct, frozen=True):
    """Where a request went."""

    chunk_ids: tuple[str, ...]
    backend: str
    """`redis`: queued; `db`: all of it is stored already."""

    @property
    def several(self) -> tuple[str, ...]:
        """Its distinct chunks, if there is more than one."""
        if len(self.chunk_ids) < 2:  # noqa: PLR2004 - several are more than one
            return ()
        distinct = tuple(sorted(set(self.chunk_ids)))
        return distinct if len(distinct) > 1 else ()

    def __str__(self) -> str:
        """The id of its chunk, or a hash of several ids."""
        if several := self.several:
            return hashlib.sha256(" ".join(several).encode()).hexdigest()[:32]
        return self.chunk_ids[0] if self.chunk_ids else ""


Settle = Callable[[Receipt | RefusedError], None]
"""Called once, from any thread, with the outcome of a request."""


@dataclass(slots=True)
class Submission:
    """A request that waits for all of its pieces."""

    missing: int
    settle: Settle
    chunk_ids: list[str] = field(default_factory=list)
    ledgers: dict[str, str] = field(default_factory=dict)
    """Chunk id → name of the ledger that knows it, if there are several."""
    queued: bool = False
    """Whether any piece is queued."""

    @property
    def failed(self) -> bool:
        """Whether it was refused."""
        return self.missing < 0

    @property
    def receipt(self) -> Receipt:
        """Its receipt; complete when nothing is missing."""
        return Receipt(tuple(self.chunk_ids), "redis" if self.queued else "db")

    def lists(self) -> dict[str, list[str]]:
        """Its distinct chunks by the name of the ledger that knows them."""
        found: dict[str, list[str]] = {}
        for chunk_id in self.receipt.several:
            found.setdefault(self.ledgers.get(chunk_id, ""), []).append(chunk_id)
        return found

    def placed(self, chunk_id: str, backend: str, ledger: str = "") -> bool:
        """Record that one piece is in a chunk; returns whether it was the last one."""
        with _counting:
            self.chunk_ids.append(chunk_id)
            if ledger:
                self.ledgers[chunk_id] = ledger
            self.queued |= backend != "db"
            self.missing -= 1
            return not self.missing

    def more(self) -> None:
        """Wait for one more piece."""
        with _counting:
            if not self.failed:
                self.missing += 1

    def fail(self, refusal: RefusedError) -> None:
        """Record that a piece was not accepted: the client must repeat the whole request."""
        with _counting:
            is_first = self.missing > 0
            self.missing = _FAILED
        if is_first:
            self.settle(refusal)


WaitingRequest = tuple[Piece, Submission]


class Group:
    """The pieces of one commit, with equal requests combined."""

    def __init__(self, waiting: Iterable[WaitingRequest], ledger: str = "") -> None:
        """Combine requests that go to the ledger of that name; empty: there is one."""
        self._ledger = ledger
        self._submissions: dict[str, list[Submission]] = {}
        self._pieces: dict[str, Piece] = {}
        self._complete: deque[Submission] = deque()
        for piece, submission in waiting:
            if piece.request_id in self._pieces:
                self._join(piece, submission)
            else:
                self._add(piece, submission)

    def __bool__(self) -> bool:
        return bool(self._pieces)

    @property
    def pieces(self) -> list[Piece]:
        """Pieces that are neither placed nor failed."""
        return list(self._pieces.values())

    def place(
        self, request_id: str, chunk_id: str, backend: str = "redis", ledger: str = ""
    ) -> None:
        """Settle the submissions that wait for this request, which is now in a chunk.

        Those with receipts for several chunks are left to :meth:`completed`.

        Args:
            request_id: the request.
            chunk_id: the chunk.
            backend: as in :class:`Receipt`.
            ledger: the ledger that knows the chunk, if it is not this group's.
        """
        if self._pieces.pop(request_id, None):
            for submission in self._submissions.pop(request_id):
                if not submission.placed(chunk_id, backend, ledger or self._ledger):
                    continue
                if len(submission.chunk_ids) > 1 and submission.receipt.several:
                    self._complete.append(submission)
                else:
                    submission.settle(submission.receipt)

    def repeat(
        self,
        request_id: str,
        chunk_id: str,
        body: str = "",
        backend: str = "redis",
        ledger: str = "",
    ) -> bool:
        """Place a request that was accepted before, except for its records without a time.

        Those cannot be a retry, and become a piece of their own in the group. A request with the
        same key but another body is refused.

        Args:
            request_id: the request.
            chunk_id: where it is.
            body: digest of the body that was accepted, if it is known.
            backend: as for :meth:`place`.
            ledger: as for :meth:`place`.

        Returns: whether none of it is a retry.
        """
        piece = self._pieces.get(request_id)
        if piece is None:
            return False
        if piece.body and body not in {"", piece.body}:
            self._refuse(request_id)
            return False
        timed = bool(piece.body) or self._split_off_timeless(piece)
        if timed:
            self.place(request_id, chunk_id, backend, ledger)
        else:
            del self._pieces[request_id], self._submissions[request_id]
        return not timed

    def fail(self, request_ids: Iterable[str], refusal: RefusedError) -> None:
        """Refuse the submissions that wait for these requests."""
        for request_id in list(request_ids):
            if self._pieces.pop(request_id, None):
                for submission in self._submissions.pop(request_id):
                    submission.fail(refusal)

    def fail_all(self, refusal: RefusedError) -> None:
        """Like :meth:`fail`, for all that are left."""
        self.fail(list(self._pieces), refusal)

    def completed(self) -> Iterator[Submission]:
        """Submissions with receipts for several chunks: note the list, then settle each."""
        while self._complete:
            yield self._complete.popleft()

    def _add(self, piece: Piece, submission: Submission) -> None:
        if submission.missing > 0:
            self._pieces[piece.request_id] = piece
            self._submissions[piece.request_id] = [submission]

    def _split_off_timeless(self, piece: Piece) -> bool:
        """Move records without a time into a piece of their own; returns whether any are left."""
        fresh, timed = timeless.cut_out(piece)
        if fresh:
            # The others added theirs when they joined.
            first = self._submissions[piece.request_id][0]
            if timed:
                first.more()
            self._add(fresh, first)
        return timed

    def _join(self, piece: Piece, submission: Submission) -> None:
        """Add a request that is already in the group."""
        if piece.body != self._pieces[piece.request_id].body:
            submission.fail(another_body())
            self._remove_refused()
            return
        waiting = self._submissions[piece.request_id]
        fresh, timed = (None, True) if piece.body else timeless.cut_out(piece)
        if fresh:
            self._add(fresh, submission)
            if not timed:
                return
            submission.more()
        waiting.append(submission)

    def _refuse(self, request_id: str) -> None:
        self.fail([request_id], another_body())
        self._remove_refused()

    def _remove_refused(self) -> None:
        """Remove pieces that only refused requests wait for: nothing of those is stored."""
        for request_id, submissions in list(self._submissions.items()):
            if all(submission.failed for submission in submissions):
                del self._pieces[request_id], self._submissions[request_id]


def another_body() -> RefusedError:
    """A permanent refusal of a key that was used with another body."""
    return RefusedError(
        Reason.WRONG_FIELD,
        "this Idempotency-Key was already sent with another body; use a new key",
        field="Idempotency-Key",
    )
