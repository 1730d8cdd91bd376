"""What can go wrong while OTLP bytes become columns."""


class UndecodableError(Exception):
    """A chunk's payload is no OTLP export request: this input will never work.

    Attributes:
        chunk_id: The chunk that cannot be decoded (UInt64, as in the column `ChunkId`).
        reason: What the protobuf parser said about it.
    """

    def __init__(self, chunk_id: int, reason: str) -> None:
        super().__init__(f"chunk {chunk_id:#018x} cannot be decoded: {reason}")
        self.chunk_id = chunk_id
        self.reason = reason


class RefusedError(ValueError):
    """The columnar decoder leaves this input to the reference decoder.

    Raised for wire forms that no encoder writes but that the protobuf specification gives a
    meaning to, such as two members of one oneof in the same message.
    """


class TooMuchError(MemoryError):
    """Decoded, these chunks would take gigabytes; half of them may not."""


def is_refusal(error: BaseException) -> bool:
    """Whether a columnar parser says by this that it does not take the input."""
    # ptars panics on lengths close to 2**64, and a Rust panic is no Exception in Python.
    panicked = type(error).__module__ == "pyo3_runtime"
    return panicked or (isinstance(error, Exception) and not isinstance(error, MemoryError))


class UnknownSignalError(ValueError):
    """There is no decoder for a signal of that name."""
