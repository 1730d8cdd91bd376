"""A piece: the records of one tenant in a request, no larger than a chunk may be."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from ingest.tenant import Tenant
from ledger.chunk import MAX_BYTES, SignalName

MOST_RECORDS = 250_000
"""Maximum records of several requests in a chunk: 8 MiB of empty records would be millions."""


class Piece(msgspec.Struct, frozen=True):
    """OTLP bytes of one tenant and signal, ready to be bound into a chunk."""

    tenant: Tenant
    signal: SignalName
    payload: bytes
    records: int
    request_id: str
    """128 bits in hexadecimal; the same for a retry with the same bytes or the same key."""
    body: str = ""
    """Digest of the request's body if it has an `Idempotency-Key`, else empty."""


class Pieces(msgspec.Struct, frozen=True):
    """A request, cut into pieces."""

    pieces: tuple[Piece, ...]
    rejected: int = 0
    """Number of refused records."""
    reason: str = ""
    """Why they were refused."""

    @property
    def records(self) -> int:
        """Number of accepted records."""
        return sum(piece.records for piece in self.pieces)

    def __iter__(self) -> Iterator[Piece]:
        return iter(self.pieces)

    def keyed(self, key: str, body: bytes) -> "Pieces":
        """The same pieces, identified by the client's key; `body` must not change."""
        digest = hashlib.sha256(body).hexdigest()[:32]
        counts: Counter[Tenant] = Counter()
        pieces = []
        for piece in self.pieces:
            # By tenant and number, so that another body with the same key gets the same ids.
            identity = f"Idempotency-Key {key}\0{counts[piece.tenant]}".encode()
            counts[piece.tenant] += 1
            known_by = request_id(piece.tenant, piece.signal, identity)
            pieces.append(msgspec.structs.replace(piece, request_id=known_by, body=digest))
        return msgspec.structs.replace(self, pieces=tuple(pieces))


def request_id(tenant: Tenant, signal: SignalName, identity: bytes) -> str:
    """The id that a retry shares: 128 bits of SHA-256 over tenant, signal and `identity`.

    `identity` is the uncompressed OTLP request, or the client's `Idempotency-Key`.
    """
    digest = hashlib.sha256(f"{tenant.workspace_id}\0{tenant.client_id}\0{signal}\0".encode())
    digest.update(identity)
    return digest.hexdigest()[:32]


def chunkfuls(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Group pieces by chunk, in their order; none of them is larger than a chunk."""
    fitting: list[Piece] = []
    room, left = MAX_BYTES, MOST_RECORDS
    for piece in pieces:
        size = len(piece.payload)
        if fitting and (size > room or piece.records > left):
            yield fitting
            fitting, room, left = [], MAX_BYTES, MOST_RECORDS
        fitting.append(piece)
        room -= size
        left -= piece.records
    if fitting:
        yield fitting
