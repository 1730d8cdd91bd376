"""Connections to ClickHouse over its native protocol: all that is not a bulk insert."""

import queue
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import clickhouse_driver
from clickhouse_driver import errors as driver

from config.settings import Settings
from storage.errors import OutcomeUnknownError, QueryRefusedError, UnavailableError

Row = tuple[Any, ...]
Params = Mapping[str, Any]

_QUERY_SETTINGS = {
    # With 0, ClickHouse keeps in mind which granules of a part without an index had no match, for
    # the next query with the same condition. The total, the histogram and the facets of a search
    # have the same; the search's page, which looks at one window after the other, has not.
    "use_skip_indexes_on_data_read": 0,
    # A page looks at windows that hold little more than the page: most of what matches in one is
    # on it, and to look at the time first, before the conditions, only costs.
    "use_top_k_dynamic_filtering": 0,
}

_UNREACHABLE = (driver.NetworkError, driver.SocketTimeoutError)


class Clickhouse:
    """A pool of connections; each call borrows one, so any thread may use it."""

    def __init__(self, settings: Settings, *, database: str | None = None) -> None:
        """Connect lazily to the server that `settings` name.

        Args:
            settings: where the server is and how long a query may take.
            database: database of the connections, `CLICKHOUSE_DATABASE` if not given.
        """
        self._settings = settings
        self.database = settings.clickhouse_database if database is None else database
        self._idle: queue.LifoQueue[clickhouse_driver.Client] = queue.LifoQueue()

    def query(
        self, sql: str, params: Params | None = None, limits: Mapping[str, Any] | None = None
    ) -> list[Row]:
        """Rows of a query whose values are bound from `params` (`%(name)s`).

        Raises:
            QueryRefusedError: ClickHouse answered with an error; its code is in `code`.
            UnavailableError: ClickHouse could not be reached.
            OutcomeUnknownError: the connection broke after the query was sent.
        """
        with self._connection() as connection:
            rows: list[Row] = connection.execute(sql, params or {}, settings=dict(limits or {}))
            return rows

    def query_named(
        self, sql: str, params: Params | None = None, limits: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """As :meth:`query`, each row by its column names."""
        with self._connection() as connection:
            rows, columns = connection.execute(
                sql, params or {}, with_column_types=True, settings=dict(limits or {})
            )
            names = [name for name, _ in columns]
            return [dict(zip(names, row, strict=True)) for row in rows]

    def insert(
        self, sql: str, rows: Sequence[Row], limits: Mapping[str, Any] | None = None
    ) -> None:
        """A small insert of Python rows: `INSERT INTO t (a, b) VALUES`."""
        with self._connection() as connection:
            connection.execute(sql, rows, settings=dict(limits or {}))

    def ping(self) -> None:
        """Ask for one number.

        Raises:
            UnavailableError: ClickHouse does not answer.
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
        connection = self._borrow()
        try:
            yield connection
        except driver.ServerException as error:
            self._idle.put(connection)
            raise QueryRefusedError(error.message, error.code) from error
        except _UNREACHABLE as error:
            connection.disconnect()
            raise UnavailableError(f"ClickHouse cannot be reached: {error}") from error
        except (EOFError, OSError, driver.Error) as error:
            connection.disconnect()
            raise OutcomeUnknownError(f"ClickHouse's answer did not arrive: {error!r}") from error
        except BaseException:
            connection.disconnect()
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
                send_receive_timeout=settings.query_max_seconds + 10,
                client_name="sheaf",
                settings=_QUERY_SETTINGS,
            )
