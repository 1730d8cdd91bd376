"""Errors of the decoders."""


class UndecodableError(Exception):
    """A chunk's payload is not an OTLP export request; permanent.

    Attributes:
        chunk_id: The chunk (UInt64, as in the column `ChunkId`).
        reason: The protobuf parser's message.
    """

    def __init__(self, chunk_id: int, reason: str) -> None:
        super().__init__(f"chunk {chunk_id:#018x} cannot be decoded: {reason}")
        self.chunk_id = chunk_id
        self.reason = reason


class FallbackError(ValueError):
    """The reference decoder must decode this input.

    Raised for encodings that are valid protobuf but that no encoder writes, such as two members of
    a oneof in one message.
    """


class TooMuchError(MemoryError):
    """These chunks would take gigabytes when decoded; half of them may fit."""


def is_refusal(error: BaseException) -> bool:
    """Whether this error means that a columnar parser does not accept the input."""
    # ptars panics on lengths close to 2**64, and a Rust panic is no Exception in Python.
    panicked = type(error).__module__ == "pyo3_runtime"
    return panicked or (isinstance(error, Exception) and not isinstance(error, MemoryError))


class UnknownSignalError(ValueError):
    """There is no decoder for the signal."""
