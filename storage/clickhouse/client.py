"""Connections over ClickHouse's native protocol, for all but bulk inserts and downloads."""

import logging
import queue
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import clickhouse_driver
from clickhouse_driver import errors as driver

from config.hosts import Host
from config.settings import Settings
from config.units import MIB
from storage.clickhouse.budget import Allowance, current_allowance
from storage.clickhouse.cluster import Cluster, little_lag
from storage.clickhouse.errors import (
    NoAnswerInTimeError,
    NoConnectionInTimeError,
    OutcomeUnknownError,
    QueryRefusedError,
    StorageError,
    UnavailableError,
)
from storage.clickhouse.hosts import Hosts
from storage.clickhouse.sql import quoted

Row = tuple[Any, ...]
Params = Mapping[str, Any]

PATIENCE = 10.0
"""Seconds beyond a query's time limit after which ClickHouse counts as too busy to answer."""

_CONNECT_SECONDS = 5

NUMBERS_ARE_VALUES = {"enable_positional_arguments": 0}
"""A value in GROUP BY or ORDER BY is not the number of a column.

The shards of a cluster get the values of a query in its text, where any number may stand.
"""

_QUERY_SETTINGS = {
    **NUMBERS_ARE_VALUES,
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
    """A connection pool for each host. Thread-safe: each call borrows a connection."""

    def __init__(
        self, settings: Settings, *, database: str | None = None, host: Host | None = None
    ) -> None:
        """Connect to ClickHouse on first use.

        Args:
            settings: the addresses of the hosts and the time limit of queries.
            database: the database to use; default: `CLICKHOUSE_DATABASE`.
            host: the only host to ask; default: any of `CLICKHOUSE_HOST`.
        """
        self._settings = settings
        self.database = settings.clickhouse_database if database is None else database
        self._hosts = Hosts([host] if host else settings.clickhouse_hosts)
        self._idle: dict[Host, queue.LifoQueue[clickhouse_driver.Client]] = {
            each: queue.LifoQueue() for each in self._hosts.all
        }
        self.cluster: Cluster | None = None
        """The replicas, if `CLICKHOUSE_CLUSTER` is set and this asks any of its hosts."""
        if settings.clickhouse_cluster and host is None:
            self.cluster = Cluster(
                settings, self, lambda each: Clickhouse(settings, database=self.database, host=each)
            )

    def query(
        self, sql: str, params: Params | None = None, limits: Mapping[str, Any] | None = None
    ) -> list[Row]:
        """The rows of a query; `params` are bound to its placeholders (`%(name)s`).

        A query that only reads is repeated on another host if its connection breaks.

        Raises:
            QueryRefusedError: ClickHouse answered with an error, its code is in `code`; or the
                request was cancelled.
            UnavailableError: ClickHouse could not be reached.
            NoAnswerInTimeError: ClickHouse is up, but did not answer in time.
            OutcomeUnknownError: the connection broke after the query was sent.
        """
        rows: list[Row] = self._ask(
            lambda connection: connection.execute(sql, params or {}, settings=dict(limits or {})),
            repeatable=_only_reads(sql),
        )
        return rows

    def query_complete(
        self,
        table: str,
        sql: str,
        params: Params | None = None,
        limits: Mapping[str, Any] | None = None,
    ) -> list[Row]:
        """The rows of a query over one table that misses no row inserted before.

        On a cluster, replicas may lag. So one of each shard is asked after it has caught up. The
        rows of all shards are returned, in no order.

        Args:
            table: the table.
            sql: the query, with `{table}` for the table's name.
            params: values for its placeholders.
            limits: ClickHouse settings for it.

        Raises:
            StorageError: as :meth:`query`; also if replicas have not caught up.
        """
        if self.cluster is None:
            return self.query(sql.replace("{table}", quoted(table)), params, limits)
        local = sql.replace("{table}", quoted(f"{table}_local"))
        return self.cluster.caught_up(table, local, params or {}, limits or {})

    def query_named(
        self, sql: str, params: Params | None = None, limits: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """As :meth:`query`, with each row as a dictionary by column name."""
        rows, columns = self._ask(
            lambda connection: connection.execute(
                sql, params or {}, with_column_types=True, settings=dict(limits or {})
            ),
            repeatable=_only_reads(sql),
        )
        names = [name for name, _ in columns]
        return [dict(zip(names, row, strict=True)) for row in rows]

    def insert(
        self, sql: str, rows: Sequence[Row], limits: Mapping[str, Any] | None = None
    ) -> None:
        """Insert a few Python rows; `sql` is such as `INSERT INTO t (a, b) VALUES`.

        On a cluster, it returns when as many replicas as needed have them.
        """
        settings = {**self.durable(), **(limits or {})}
        self._ask(
            lambda connection: connection.execute(sql, rows, settings=settings), repeatable=False
        )

    def durable(self) -> dict[str, Any]:
        """Settings of an INSERT SELECT that returns when as many replicas as needed have the rows.

        Raises:
            StorageError: a cluster cannot be asked how many replicas it has.
        """
        return self.cluster.durable() if self.cluster else {}

    @property
    def no_lag(self) -> dict[str, Any]:
        """Settings of a query that is refused rather than answered by a replica that lags."""
        return self.cluster.no_lag if self.cluster else {}

    def on_all_hosts(self, sql: str, params: Params) -> None:
        """Run a statement on every host of `CLICKHOUSE_HOST` that can be reached.

        Raises:
            StorageError: none can be reached, or one refused it.
        """
        reached = False
        for host in self._hosts.all:
            try:
                with self._connection(host) as connection:
                    connection.execute(sql, params)
                reached = True
            except UnavailableError:
                self._hosts.note_failure(host)
                if host == self._hosts.all[-1] and not reached:
                    raise

    def ping(self) -> None:
        """Check that ClickHouse answers a query.

        Raises:
            StorageError: it does not.
        """
        self.query("SELECT 1")

    def close(self) -> None:
        """Close the idle connections."""
        for idle in self._idle.values():
            with suppress(queue.Empty):
                while True:
                    idle.get_nowait().disconnect()
        if self.cluster:
            self.cluster.close()

    def _ask(self, call: Callable[[clickhouse_driver.Client], Any], *, repeatable: bool) -> Any:  # noqa: ANN401 - the driver ships no types
        def ask_host(host: Host) -> Any:  # noqa: ANN401 - as above
            with self._connection(host) as connection:
                return call(connection)

        return self._hosts.ask(ask_host, repeatable=repeatable)

    @contextmanager
    def _connection(self, host: Host) -> Iterator[clickhouse_driver.Client]:
        connection, allowance = self._borrow(host), current_allowance()
        try:
            with allowance.abortable(lambda: _cut(connection)):
                yield connection
        except BaseException as error:
            if isinstance(error, driver.ServerException):
                self._idle[host].put(connection)
            else:
                connection.disconnect()
            if meaning := _meaning(error, allowance):
                raise meaning from error
            raise
        else:
            self._idle[host].put(connection)

    def _borrow(self, host: Host) -> clickhouse_driver.Client:
        try:
            return self._idle[host].get_nowait()
        except queue.Empty:
            settings = self._settings
            return clickhouse_driver.Client(
                host=host.name,
                port=host.port,
                user=settings.clickhouse_user,
                password=settings.clickhouse_password,
                database=self.database,
                secure=settings.clickhouse_secure,
                connect_timeout=_CONNECT_SECONDS,
                send_receive_timeout=settings.query_max_seconds + PATIENCE,
                client_name="sheaf",
                settings=_QUERY_SETTINGS | little_lag(settings),
            )


def _only_reads(sql: str) -> bool:
    return sql.lstrip("( \n").startswith(("SELECT", "WITH"))


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
        connecting = isinstance(error, driver.SocketTimeoutError)
        family = NoConnectionInTimeError if connecting else NoAnswerInTimeError
        return family(f"ClickHouse did not answer in time: {error}")
    if isinstance(error, EOFError | OSError | driver.Error):
        return OutcomeUnknownError(f"ClickHouse's answer did not arrive: {error!r}")
    return None
