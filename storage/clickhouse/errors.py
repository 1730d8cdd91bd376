"""Classifies ClickHouse's errors."""

import re

# Codes that mean that rows will never be accepted, from ClickHouse's ErrorCodes.cpp.
POISON_CODES = frozenset(
    {
        6,  # CANNOT_PARSE_TEXT
        26,  # CANNOT_PARSE_QUOTED_STRING
        27,  # CANNOT_PARSE_INPUT_ASSERTION_FAILED
        33,  # CANNOT_READ_ALL_DATA
        38,  # CANNOT_PARSE_DATE
        41,  # CANNOT_PARSE_DATETIME
        43,  # ILLEGAL_TYPE_OF_ARGUMENT
        53,  # TYPE_MISMATCH
        69,  # ARGUMENT_OUT_OF_BOUND
        70,  # CANNOT_CONVERT_TYPE
        72,  # CANNOT_PARSE_NUMBER
        117,  # INCORRECT_DATA
        128,  # TOO_LARGE_ARRAY_SIZE
        131,  # TOO_LARGE_STRING_SIZE
        190,  # SIZES_OF_ARRAYS_DONT_MATCH
        246,  # CORRUPTED_DATA
        321,  # VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
        349,  # CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
        395,  # FUNCTION_THROW_IF_VALUE_IS_NON_ZERO
        469,  # VIOLATED_CONSTRAINT
    }
)

TOO_MANY_PARTS = 252
TOO_MANY_ROWS = 158
UNKNOWN_IDENTIFIER = 47
UNKNOWN_TABLE = 60
UNKNOWN_DATABASE = 81
TIMEOUT_EXCEEDED = 159
TOO_SLOW = 160
MEMORY_LIMIT_EXCEEDED = 241
QUERY_WAS_CANCELLED = 394
TABLE_IS_READ_ONLY = 242
UNKNOWN_STATUS_OF_INSERT = 319
"""Stored on at least one replica, but perhaps not on as many as asked for."""

_CODE = re.compile(r"Code:\s*(\d+)")


class StorageError(Exception):
    """A request to ClickHouse failed."""

    def __init__(self, message: str, code: int = 0) -> None:
        """Keep ClickHouse's message and error code; 0 if it did not answer."""
        super().__init__(message)
        self.code = code


class RowsRefusedError(StorageError):
    """Permanent: ClickHouse will never accept these rows."""


class UnavailableError(StorageError):
    """Retryable: ClickHouse could not be reached, or refused for a temporary reason."""


class OutcomeUnknownError(UnavailableError):
    """Retryable after a check of what is stored: the request was sent, but not answered."""


class NoAnswerInTimeError(OutcomeUnknownError):
    """Retryable after a check of what is stored: ClickHouse is up, but too busy to answer."""


class NoConnectionInTimeError(NoAnswerInTimeError):
    """Retryable: ClickHouse did not accept a connection in time, so nothing was sent."""


class QueryRefusedError(StorageError):
    """The query is invalid, or too heavy for its limits."""


def code_of(message: str) -> int:
    """ClickHouse's error code in one of its messages, 0 if there is none."""
    found = _CODE.search(message)
    return int(found[1]) if found else 0


def insert_error(message: str, code: int) -> StorageError:
    """The error for an insert that ClickHouse refused.

    `TOO_MANY_PARTS` has two meanings: a block with too many partitions, which is permanent, or a
    table with too many parts to merge, which is temporary.
    """
    if code == UNKNOWN_STATUS_OF_INSERT:
        return OutcomeUnknownError(message, code)
    too_many_partitions = code == TOO_MANY_PARTS and "partitions for single INSERT" in message
    family = RowsRefusedError if code in POISON_CODES or too_many_partitions else UnavailableError
    return family(message, code)
