"""The input of the decoders."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChunkRows:
    """A chunk's payload, and the values that all its rows share.

    Attributes:
        payload: Uncompressed OTLP export request, or several concatenated.
        workspace_id: The tenant's workspace.
        client_id: The tenant's client.
        chunk_id: Low 64 bits of the chunk's id, unsigned.
        received_ns: When the chunk was accepted, in Unix nanoseconds; used for records without a
            time.
        retention_days: Days for which its records are kept; 0 forever.
    """

    payload: bytes
    workspace_id: str
    client_id: str
    chunk_id: int
    received_ns: int
    retention_days: int
