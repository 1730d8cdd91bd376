"""Bulk inserts: Arrow over ClickHouse's HTTP port, one block per request."""

import math
import socket
import struct
import time
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa
import urllib3
from urllib3.connection import HTTPConnection

from config.hosts import Host
from config.settings import Settings
from config.units import MS_PER_S
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import (
    OutcomeUnknownError,
    RowsRefusedError,
    StorageError,
    UnavailableError,
    code_of,
    insert_error,
)
from storage.clickhouse.hosts import Hosts
from storage.clickhouse.sharding import by_shard

# Rows; more than any batch has, so that ClickHouse neither splits a batch nor waits for more.
ONE_BLOCK = 1 << 30

_SHARDS_AT_ONCE = 16

INDEXES_OF_AN_INSERT = {
    # The first merge builds the text index: docs/decisions/0003-indexes-at-merge.md
    "exclude_materialize_skip_indexes_on_insert": "idx_body",
}
"""Insert settings that choose which indexes are built at once."""


class Inserter:
    """Inserts Arrow batches. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        """Keep connections to ClickHouse's HTTP ports."""
        self._scheme = "https" if settings.clickhouse_secure else "http"
        self._hosts = Hosts(settings.clickhouse_hosts)
        self._clickhouse = Clickhouse(settings)
        self._database = settings.clickhouse_database
        self._timeout = settings.insert_timeout
        self._headers = {
            "X-ClickHouse-User": settings.clickhouse_user,
            "X-ClickHouse-Key": settings.clickhouse_password,
            "Content-Type": "application/vnd.apache.arrow.stream",
        }
        self._pool = ThreadPoolExecutor(_SHARDS_AT_ONCE, "insert")
        self._http = urllib3.PoolManager(
            maxsize=16, retries=False, socket_options=_socket_options(settings.insert_timeout)
        )

    def insert(
        self,
        table: str,
        rows: pa.RecordBatch,
        query_id: str,
        begin_before: float = math.inf,
        *,
        deduplicate: bool = True,
    ) -> None:
        """Insert `rows` as one block: in each partition all of its rows appear, or none.

        On a cluster they are one block for each shard, sent at the same time to hosts of that
        shard, if CLICKHOUSE_HOST names any. They go through its Distributed table, so that rows
        are on the right shard wherever they are sent.

        Args:
            table: a table of the configured database.
            rows: columns named like the table's.
            query_id: what ClickHouse's ids of these queries begin with, by which they can be
                stopped.
            begin_before: latest time to send the request, on the clock `time.monotonic`.
            deduplicate: whether replicated tables may drop a block like one that they had.

        Raises:
            RowsRefusedError: ClickHouse will never accept these rows.
            UnavailableError: nothing was stored; a retry may succeed.
            OutcomeUnknownError: sent, but not answered within `INSERT_TIMEOUT`, or not known to be
                on as many replicas as needed; or only some of the rows were stored.
        """
        parts = self._by_shard(rows)

        def insert(part: pa.RecordBatch, near: Collection[Host], part_id: str) -> None:
            stream = _arrow_stream(part)
            parameters = self._parameters(table, part_id, deduplicate=deduplicate)

            def send(host: Host) -> None:
                self._send(f"{self._scheme}://{host.url}/?{parameters}", stream, begin_before)

            self._hosts.ask(send, repeatable=False, near=near)

        if len(parts) == 1:
            insert(*parts[0], query_id)
            return
        inserts = [
            self._pool.submit(insert, *part, f"{query_id}-{number}")
            for number, part in enumerate(parts)
        ]
        wait(inserts)
        _raise_worst([each.exception() for each in inserts])

    def close(self) -> None:
        """Close the connections."""
        self._pool.shutdown()
        self._http.clear()
        self._clickhouse.close()

    def _by_shard(self, rows: pa.RecordBatch) -> list[tuple[pa.RecordBatch, Collection[Host]]]:
        """What to send, and the hosts from which it need not travel further."""
        cluster, known = self._clickhouse.cluster, self._hosts.all
        if cluster is None or len(known) == 1:
            return [(rows, ())]
        parts: list[tuple[pa.RecordBatch, Collection[Host]]] = []
        for shard, part in by_shard(rows, cluster.shards()):
            places = {(host.name, host.port) for host in shard.all}
            parts.append((part, [host for host in known if (host.name, host.port) in places]))
        # Behind a proxy, or if these machines know the hosts by other names.
        return parts if any(near for _, near in parts) else [(rows, ())]

    def _send(self, url: str, stream: Any, begin_before: float) -> None:  # noqa: ANN401 - as below
        if time.monotonic() > begin_before:
            raise UnavailableError("the deadline to send this insert has passed")
        try:
            answer = self._http.request(
                "POST",
                url,
                body=stream,
                headers=self._headers,
                timeout=urllib3.Timeout(connect=5, read=self._timeout + 5),
            )
        except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError) as e:
            raise UnavailableError(f"ClickHouse cannot be reached: {e}") from e
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise OutcomeUnknownError(f"ClickHouse's answer did not arrive: {error!r}") from error
        if answer.status != 200:  # noqa: PLR2004 - OK
            raise _refusal(answer)

    def _parameters(self, table: str, query_id: str, *, deduplicate: bool) -> str:
        parameters: dict[str, str | int | float] = {
            "query": f"INSERT INTO `{table}` FORMAT ArrowStream",
            "database": self._database,
            "query_id": query_id,
            "async_insert": 0,
            "max_execution_time": self._timeout,
            "max_insert_block_size": ONE_BLOCK,
            "max_insert_threads": 1,
            "min_insert_block_size_bytes": 0,
            "min_insert_block_size_rows": 0,
            "input_format_parallel_parsing": 0,
            "wait_end_of_query": 1,
            **INDEXES_OF_AN_INSERT,
            **self._clickhouse.durable(),
        }
        if not deduplicate:
            # In place of a hash of the rows. To turn deduplication off, settings differ by version.
            parameters["insert_deduplication_token"] = query_id
        return urlencode(parameters)


def _raise_worst(outcomes: Sequence[BaseException | None]) -> None:
    """Raise what says most about several inserts of which some may have failed."""
    problems = [each for each in outcomes if each]
    for kind in (RowsRefusedError, OutcomeUnknownError):
        if found := next((each for each in problems if isinstance(each, kind)), None):
            raise found
    if problems and len(problems) < len(outcomes):
        raise OutcomeUnknownError(f"some rows were not stored: {problems[0]}") from problems[0]
    if problems:
        raise problems[0]


def _socket_options(insert_timeout: float) -> list[tuple[int, int, int | bytes]]:
    """Options by which the kernel drops a request that does not arrive.

    It would otherwise send it for a quarter of an hour, even for a process that has ended. Such an
    insert could arrive after the next attempt has looked, and be stored a second time.
    """
    at_close = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    options: list[tuple[int, int, int | bytes]] = [*HTTPConnection.default_socket_options, at_close]
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # Before the lease ends, with the time that connecting takes.
        ms = int(insert_timeout * MS_PER_S / 2)
        options.append((socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, ms))
    return options


def _arrow_stream(rows: pa.RecordBatch) -> Any:  # noqa: ANN401 - a buffer, which urllib3 sends as it is
    # Measured first, because a growing sink copies its content repeatedly.
    measure = pa.MockOutputStream()
    _write_stream(rows, measure)
    buffer = pa.allocate_buffer(measure.size())
    _write_stream(rows, pa.FixedSizeBufferWriter(buffer))
    return memoryview(buffer)


def _write_stream(rows: pa.RecordBatch, sink: pa.NativeFile) -> None:
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_batch(rows)


def _refusal(answer: urllib3.BaseHTTPResponse) -> StorageError:
    message = answer.data.decode("utf-8", "replace").strip()
    code = int(answer.headers.get("X-ClickHouse-Exception-Code", 0)) or code_of(message)
    return insert_error(message or f"ClickHouse answered HTTP {answer.status}", code)
