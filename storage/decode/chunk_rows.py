"""What the decoders are given: a chunk's payload and the columns that are equal in all its rows."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChunkRows:
    """One chunk to decode.

    Attributes:
        payload: Uncompressed bytes of an OTLP export request, or of several concatenated.
        workspace_id: Tenant, first half.
        client_id: Tenant, second half.
        chunk_id: Low 64 bits of the chunk's id, unsigned.
        received_ns: When the chunk was accepted, in Unix nanoseconds; the time of records that
            carry none.
        retention_days: Days its records are kept; 0 for ever.
    """

    payload: bytes
    workspace_id: str
    client_id: str
    chunk_id: int
    received_ns: int
    retention_days: int
