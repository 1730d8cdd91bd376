"""Connections over ClickHouse's native protocol, for all but bulk inserts and downloads."""

import logging
import queue
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import clickhouse_driver
from clickhouse_driver import errors as driver

from config.settings import MIB, Settings
from storage.clickhouse.budget import Allowance, current_allowance
from storage.clickhouse.errors import (
    NoAnswerInTimeError,
    OutcomeUnknownError,
    QueryRefusedError,
    StorageError,
    UnavailableError,
)

Row = tuple[Any, ...]
Params = Mapping[str, Any]

PATIENCE = 10.0
"""Seconds beyond a query's time limit after which ClickHouse counts as too busy to answer."""

_QUERY_SETTINGS = {
    # With 0, ClickHouse caches which granules of a part without an index had no match, for the
    # next query with the same condition. A search's total, histogram and facets share their
    # condition; only its page, which is read in windows, does not.
    "use_skip_indexes_on_data_read": 0,
    # A page is read in windows with few more rows than the page, so most matches are on it, and
    # filtering by time before the conditions only costs.
    "use_top_k_dynamic_filtering": 0,
    # A condition may list all chunks and workspaces of a batch, or all chunks of a deletion.
    "max_query_size": 64 * MIB,
}

# It logs a traceback for each failed connection, which the caller reports anyway.
logging.getLogger("clickhouse_driver").setLevel(logging.ERROR)


class Clickhouse:
    """A connection pool. Thread-safe: each call borrows a connection."""

    def __init__(self, settings: Settings, *, database: str | None = None) -> None:
        """Connect to ClickHouse on first use.

        Args:
            settings: the server's address and the time limit of queries.
            database: the database to use; default: `CLICKHOUSE_DATABASE`.
        """
        self._settings = settings
        self.database = settings.clickhouse_database if database is None else database
        self._idle: queue.LifoQueue[clickhouse_driver.Client] = queue.LifoQueue()

    def query(
        self, sql: str, params: Params | None = None, limits: Mapping[str, Any] | None = None
    ) -> list[Row]:
        """The rows of a query; `params` are bound to its placeholders (`%(name)s`).

        Raises:
            QueryRefusedError: ClickHouse answered with an error, its code is in `code`; or the
                request was cancelled.
            UnavailableError: ClickHouse could not be reached.
            NoAnswerInTimeError: ClickHouse is up, but did not answer in time.
            OutcomeUnknownError: the connection broke after the query was sent.
        """
        with self._connection() as connection:
            rows: list[Row] = connection.execute(sql, params or {}, settings=dict(limits or {}))
            return rows

    def query_named(
        self, sql: str, params: Params | None = None, limits: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """As :meth:`query`, with each row as a dictionary by column name."""
        with self._connection() as connection:
            rows, columns = connection.execute(
                sql, params or {}, with_column_types=True, settings=dict(limits or {})
            )
            names = [name for name, _ in columns]
            return [dict(zip(names, row, strict=True)) for row in rows]

    def insert(
        self, sql: str, rows: Sequence[Row], limits: Mapping[str, Any] | None = None
    ) -> None:
        """Insert a few Python rows; `sql` is such as `INSERT INTO t (a, b) VALUES`."""
        with self._connection() as connection:
            connection.execute(sql, rows, settings=dict(limits or {}))

    def ping(self) -> None:
        """Check that ClickHouse answers a query.

        Raises:
            StorageError: it does not.
        """
        self.query("SELECT 1")

    def close(self) -> None:
        """Close the idle connections."""
        while True:
            try:
                self._idle.get_nowait().disconnect()
            except queue.Empty:
                return

    @contextmanager
    def _connection(self) -> Iterator[clickhouse_driver.Client]:
        connection, allowance = self._borrow(), current_allowance()
        try:
            with allowance.abortable(lambda: _cut(connection)):
                yield connection
        except BaseException as error:
            if isinstance(error, driver.ServerException):
                self._idle.put(connection)
            else:
                connection.disconnect()
            if meaning := _meaning(error, allowance):
                raise meaning from error
            raise
        else:
            self._idle.put(connection)

    def _borrow(self) -> clickhouse_driver.Client:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            settings = self._settings
            return clickhouse_driver.Client(
                host=settings.clickhouse_address,
                port=settings.clickhouse_port,
                user=settings.clickhouse_user,
                password=settings.clickhouse_password,
                database=self.database,
                secure=settings.clickhouse_secure,
                connect_timeout=5,
                send_receive_timeout=settings.query_max_seconds + PATIENCE,
                client_name="sheaf",
                settings=_QUERY_SETTINGS,
            )


def _cut(connection: clickhouse_driver.Client) -> None:
    """End the query on a connection: ClickHouse stops it when the client disconnects."""
    with suppress(OSError, AttributeError):
        connection.connection.socket.shutdown(socket.SHUT_RDWR)


def _meaning(error: BaseException, allowance: Allowance) -> StorageError | None:
    """The StorageError for a failed query; None if the error is not from the database."""
    if isinstance(error, driver.ServerException):
        return QueryRefusedError(error.message, error.code)
    if allowance.ended is not None:
        return allowance.ended
    if isinstance(error, driver.NetworkError):
        return UnavailableError(f"ClickHouse cannot be reached: {error}")
    if isinstance(error, driver.SocketTimeoutError | TimeoutError):
        return NoAnswerInTimeError(f"ClickHouse did not answer in time: {error}")
    if isinstance(error, EOFError | OSError | driver.Error):
        return OutcomeUnknownError(f"ClickHouse's answer did not arrive: {error!r}")
    return None
