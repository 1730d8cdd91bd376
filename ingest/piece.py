"""A piece: what one request holds of one tenant, no larger than a chunk may be."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from ingest.tenant import Tenant
from tasks.chunk import MAX_BYTES, Signal

MOST_RECORDS = 250_000
"""Records of several requests in one chunk: eight megabytes of empty ones would be millions."""


class Piece(msgspec.Struct, frozen=True):
    """OTLP bytes of one tenant and signal, ready to be bound into a chunk."""

    tenant: Tenant
    signal: Signal
    payload: bytes
    records: int
    request_id: str
    """128 bits in hexadecimal; equal for a byte-identical retry, or for one with the same key."""
    body: str = ""
    """Digest of the whole request's body if an `Idempotency-Key` is its identity, else empty."""


class Pieces(msgspec.Struct, frozen=True):
    """A request, cut up."""

    pieces: tuple[Piece, ...]
    rejected: int = 0
    """Records of it that cannot be taken."""
    reason: str = ""
    """Why not."""

    @property
    def records(self) -> int:
        """Records that can be taken."""
        return sum(piece.records for piece in self.pieces)

    def __iter__(self) -> Iterator[Piece]:
        return iter(self.pieces)

    def keyed(self, key: str, body: bytes) -> "Pieces":
        """The same, with the client's key as their identity; `body` is what must not change."""
        digest = hashlib.sha256(body).hexdigest()[:32]
        counts: Counter[Tenant] = Counter()
        pieces = []
        for piece in self.pieces:
            # By tenant and number: another body under the key meets the first one's pieces.
            identity = f"Idempotency-Key {key}\0{counts[piece.tenant]}".encode()
            counts[piece.tenant] += 1
            known_by = request_id(piece.tenant, piece.signal, identity)
            pieces.append(msgspec.structs.replace(piece, request_id=known_by, body=digest))
        return msgspec.structs.replace(self, pieces=tuple(pieces))


def request_id(tenant: Tenant, signal: Signal, identity: bytes) -> str:
    """The id by which a retry is known: 128 bits of SHA-256 over tenant, signal and `identity`.

    `identity` is the uncompressed OTLP request, or what a client's `Idempotency-Key` says.
    """
    digest = hashlib.sha256(f"{tenant.workspace_id}\0{tenant.client_id}\0{signal}\0".encode())
    digest.update(identity)
    return digest.hexdigest()[:32]


def chunkfuls(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """The pieces in their order, each chunk's in a list; none of them is larger than a chunk."""
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
