"""Packets of the native protocol: reading those of clients, writing those of servers.

Supports revisions 54058 to 54453, the last one whose blocks are those of the engine's Native format
(from 54454 on every column has a flag for its serialisation).
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from embedded.connection import Result
from embedded.errors import Code, ServerError
from embedded.wire import Stream, string, varint

REVISION = 54453
MOST_QUERY_BYTES = 256 << 20

HELLO, QUERY, DATA, CANCEL, PING, TABLES_STATUS, KEEP_ALIVE, SCALAR = range(8)

PONG, END_OF_STREAM = varint(4), varint(5)
_SERVER_HELLO, _SERVER_DATA, _EXCEPTION, _PROGRESS, _PROFILE_INFO = 0, 1, 2, 3, 6
_TABLES_STATUS_ANSWER = 9

COMPLETE = 2
"""The stage of processing that every client asks for; other servers may ask for earlier ones."""

_TCP, _HTTP = 1, 2
_SECONDARY = 2  # the kind of a query that another server has sent
_MOST_TABLES = 10_000


class _Since(IntEnum):
    """The revisions that added fields to packets."""

    TIMEZONE = 54058
    QUOTA_KEY = 54060
    DISPLAY_NAME = 54372
    VERSION_PATCH = 54401
    WRITTEN_ROWS = 54420
    SETTINGS_AS_STRINGS = 54429
    INTERSERVER_SECRET = 54441
    OPENTELEMETRY = 54442
    FORWARDED_FOR = 54443
    REFERER = 54447
    DISTRIBUTED_DEPTH = 54448
    QUERY_START_TIME = 54449
    PARALLEL_REPLICAS = 54453


@dataclass(frozen=True)
class Hello:
    """A client's first packet."""

    revision: int
    database: str
    user: str
    password: str


@dataclass(frozen=True)
class Origin:
    """The query that a client has sent, of which another server sends a part."""

    user: str
    query_id: str


@dataclass
class Query:
    """One query as a client, or another server, sends it.

    Attributes:
        query_id: The sender's id, empty if the server is to choose one.
        settings: Names and values.
        compressed: Whether blocks are compressed.
        text: The statement.
        stage: How far to process it: `COMPLETE`, or less for another server to go on from.
        origin: What it is a part of; None if a client sent it.
    """

    query_id: str
    settings: dict[str, str]
    compressed: bool
    text: bytes
    stage: int = COMPLETE
    origin: Origin | None = None


@dataclass(frozen=True)
class TableStatus:
    """A table that exists here, and how many seconds its replica is behind.

    Attributes:
        database: The table's database.
        table: The table.
        delay: Seconds; None if it is not replicated.
    """

    database: str
    table: str
    delay: int | None


def read_hello(stream: Stream) -> Hello:
    """Read a Hello packet after its type."""
    stream.text()
    stream.varint()
    stream.varint()
    revision = stream.varint()
    return Hello(revision, stream.text(), stream.text(), stream.text())


def read_query(stream: Stream, revision: int, is_integer: Callable[[str], bool]) -> Query:
    """Read a Query packet after its type.

    Args:
        stream: The client's bytes.
        revision: The revision of this connection.
        is_integer: Whether old clients send a setting's value as a number.
    """
    query_id = stream.text()
    origin = _read_client_info(stream, revision)
    settings = dict(_read_settings(stream, revision, is_integer))
    if revision >= _Since.INTERSERVER_SECRET:
        stream.string()
    stage = stream.varint()
    compressed = bool(stream.varint())
    return Query(query_id, settings, compressed, stream.string(MOST_QUERY_BYTES), stage, origin)


def _read_client_info(stream: Stream, revision: int) -> Origin | None:
    kind = stream.byte()
    if kind == 0:
        return None
    user, query_id, _ = stream.text(), stream.text(), stream.string()
    if revision >= _Since.QUERY_START_TIME:
        stream.skip(8)
    interface = stream.byte()
    if interface == _TCP:
        _read_tcp_client(stream)
    elif interface == _HTTP:
        _read_http_client(stream, revision)
    if revision >= _Since.QUOTA_KEY:
        stream.string()
    if revision >= _Since.DISTRIBUTED_DEPTH:
        stream.varint()
    if interface == _TCP and revision >= _Since.VERSION_PATCH:
        stream.varint()
    _read_trace_context(stream, revision)
    return Origin(user, query_id) if kind == _SECONDARY else None


def _read_tcp_client(stream: Stream) -> None:
    for _ in range(3):
        stream.string()  # user at the system, host, client's name
    for _ in range(3):
        stream.varint()  # the client's version and revision


def _read_http_client(stream: Stream, revision: int) -> None:
    stream.byte()  # method
    stream.string()  # user agent
    for since in (_Since.FORWARDED_FOR, _Since.REFERER):
        if revision >= since:
            stream.string()


def _read_trace_context(stream: Stream, revision: int) -> None:
    if revision >= _Since.OPENTELEMETRY and stream.byte():
        stream.skip(24)  # trace id and span id
        stream.string()
        stream.byte()
    for _ in range(3 if revision >= _Since.PARALLEL_REPLICAS else 0):
        stream.varint()


def _read_settings(
    stream: Stream, revision: int, is_integer: Callable[[str], bool]
) -> list[tuple[str, str]]:
    settings = []
    while name := stream.text():
        if revision >= _Since.SETTINGS_AS_STRINGS:
            stream.varint()
            settings.append((name, stream.text()))
        else:
            value = str(stream.varint()) if is_integer(name) else stream.text()
            settings.append((name, value))
    return settings


def read_tables_status(stream: Stream) -> list[tuple[str, str]]:
    """Read a TablesStatusRequest packet after its type: databases and tables.

    Raises:
        ServerError: It asks for too many tables.
    """
    count = stream.varint()
    if count > _MOST_TABLES:
        raise ServerError(Code.CANNOT_READ_ALL_DATA, f"A request for the status of {count} tables")
    return [(stream.text(), stream.text()) for _ in range(count)]


def tables_status(found: Sequence[TableStatus]) -> bytes:
    """Write the answer to a TablesStatusRequest; tables that do not exist are left out."""
    packet = varint(_TABLES_STATUS_ANSWER) + varint(len(found))
    for each in found:
        delay = b"\x00" if each.delay is None else b"\x01" + varint(each.delay)
        packet += string(each.database) + string(each.table) + delay
    return packet


def server_hello(revision: int, version: str, timezone: str) -> bytes:
    """Write the answer to a Hello.

    Args:
        revision: The revision of this connection.
        version: The engine's, `major.minor.patch...`.
        timezone: The server's.
    """
    major, minor, patch = (int(part) for part in version.split(".")[:3])
    packet = varint(_SERVER_HELLO) + string("ClickHouse") + varint(major) + varint(minor)
    packet += varint(REVISION)
    if revision >= _Since.TIMEZONE:
        packet += string(timezone)
    if revision >= _Since.DISPLAY_NAME:
        packet += string("sheaf")
    if revision >= _Since.VERSION_PATCH:
        packet += varint(patch)
    return packet


def exception(error: ServerError) -> bytes:
    """Write an Exception packet: number, class, text, stack trace, nothing nested."""
    packet = varint(_EXCEPTION) + struct.pack("<i", error.code) + string("DB::Exception")
    return packet + string(f"DB::Exception: {error.message}") + string("") + b"\x00"


def data(block: bytes) -> bytes:
    """Write a Data packet: no table's name, then the block, compressed or not."""
    return varint(_SERVER_DATA) + string("") + block


def stored(result: Result, revision: int) -> bytes:
    """Write the packet that follows an INSERT; old clients expect none."""
    return progress(result, revision) if revision >= _Since.WRITTEN_ROWS else b""


def progress(result: Result, revision: int) -> bytes:
    """Write a Progress packet: what was read, and written, since the last one."""
    packet = varint(_PROGRESS) + varint(result.read_rows) + varint(result.read_bytes) + varint(0)
    if revision >= _Since.WRITTEN_ROWS:
        packet += varint(result.written_rows) + varint(result.written_bytes)
    return packet


def profile_info(rows: int, blocks: int, size: int) -> bytes:
    """Write a ProfileInfo packet: size of the result; rows before LIMIT are not counted.

    The packet says that they are, because a client of 2018 crashes otherwise.
    """
    return varint(_PROFILE_INFO) + varint(rows) + varint(blocks) + varint(size) + b"\0\0\1"
