"""Requests that wait for their commit, and how each is told of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec

from ingest.piece import Piece
from ingest.status import RefusedError


class Receipt(msgspec.Struct, frozen=True):
    """Where a request went."""

    chunk_ids: tuple[str, ...]
    backend: str
    """`redis`: queued; `db`: stored already."""

    def __str__(self) -> str:
        return ".".join(dict.fromkeys(self.chunk_ids))


Settle = Callable[[Receipt | RefusedError], None]
"""Called once, from any thread, with what became of a request."""


@dataclass(slots=True)
class Submission:
    """A request that waits for all of its pieces."""

    missing: int
    settle: Settle
    chunk_ids: list[str] = field(default_factory=list)
    backend: str = "redis"

    def placed(self, chunk_id: str, backend: str) -> None:
        """One of its pieces is in a chunk."""
        self.chunk_ids.append(chunk_id)
        self.backend = backend if backend == "db" else self.backend
        self.missing -= 1
        if not self.missing:
            self.settle(Receipt(tuple(self.chunk_ids), self.backend))

    def failed(self, refusal: RefusedError) -> None:
        """One of its pieces was not accepted: the client repeats the whole request."""
        if self.missing > 0:
            self.missing = -1
            self.settle(refusal)


Waiting = tuple[Piece, Submission]


class Group:
    """The pieces of one commit, equal requests together."""

    def __init__(self, waiting: Iterable[Waiting]) -> None:
        self._submissions: dict[str, list[Submission]] = {}
        self._pieces: dict[str, Piece] = {}
        for piece, submission in waiting:
            self._pieces[piece.request_id] = piece
            self._submissions.setdefault(piece.request_id, []).append(submission)

    def __bool__(self) -> bool:
        return bool(self._pieces)

    @property
    def pieces(self) -> list[Piece]:
        """Those that are neither placed nor failed."""
        return list(self._pieces.values())

    def place(self, request_id: str, chunk_id: str, backend: str = "redis") -> None:
        """Tell everybody who waits for a request that it is in a chunk."""
        if self._pieces.pop(request_id, None):
            for submission in self._submissions.pop(request_id):
                submission.placed(chunk_id, backend)

    def fail(self, request_ids: Iterable[str], refusal: RefusedError) -> None:
        """Tell everybody who waits for these requests that they were not accepted."""
        for request_id in list(request_ids):
            if self._pieces.pop(request_id, None):
                for submission in self._submissions.pop(request_id):
                    submission.failed(refusal)

    def fail_all(self, refusal: RefusedError) -> None:
        """As :meth:`fail`, for all that is left."""
        self.fail(list(self._pieces), refusal)
