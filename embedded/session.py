"""A client's session: the state that lasts between its queries."""

import contextlib
from collections.abc import Iterator, Mapping

from embedded.connection import Connection
from embedded.engine import Engine
from embedded.errors import Code, ServerError
from embedded.statement import StatementKind, seconds, time_limit


class Session:
    """A session: SET, USE and temporary tables last, a query's own settings do not.

    Args:
        engine: The engine.
        settings: Settings of the whole session, `database` among them.

    Raises:
        ServerError: The database or a setting is unknown.
    """

    def __init__(self, engine: Engine, settings: Mapping[str, str]) -> None:
        self._engine = engine
        self._settings = dict(settings)
        self._connection = engine.connect(self._settings)
        self._statements: list[bytes] = []
        self._temporary = False
        self.limit = seconds(settings.get("max_execution_time", "0"))

    @property
    def database(self) -> str:
        """The database that the session began in."""
        return self._settings.get("database", "default")

    @contextlib.contextmanager
    def lease(self, settings: Mapping[str, str]) -> Iterator[Connection]:
        """A connection on which one query can run with its own settings.

        The query gets a new connection on which the session's SET and USE are repeated, because a
        setting like `readonly` cannot be undone. Only if the session has temporary tables, which
        other connections cannot see, are its settings changed and restored.

        Raises:
            ServerError: A setting is unknown, or cannot be combined with temporary tables.
        """
        if not settings:
            yield self._connection
        elif self._temporary:
            with self._borrowed(settings) as connection:
                yield connection
        else:
            first = {} if self._statements else settings
            connection = self._engine.connect({**self._settings, **first})
            try:
                self._repeat(connection)
                connection.set({} if first else settings)
                yield connection
            finally:
                connection.close()

    @contextlib.contextmanager
    def _borrowed(self, settings: Mapping[str, str]) -> Iterator[Connection]:
        if settings.get("readonly", "0") != "0":
            raise ServerError(
                Code.NOT_IMPLEMENTED,
                "readonly cannot be set for a query in a session with temporary tables",
            )
        self._connection.set(settings)
        try:
            yield self._connection
        finally:
            before = {name: self._settings.get(name) for name in settings}
            self._connection.set(before)
            self._repeat(self._connection)

    def run(self, sql: bytes, kind: StatementKind) -> None:
        """Run a statement that changes the session itself, and remember it.

        Raises:
            ServerError: The engine refuses it.
        """
        self._connection.run(sql, "Null")
        if kind == "temporary":
            self._temporary = True
            return
        self._connection.set({"log_comment": ""} if b"log_comment" in sql else {})
        self._statements.append(sql)
        limit = time_limit(sql)
        self.limit = self.limit if limit is None else limit

    def _repeat(self, connection: Connection) -> None:
        for sql in self._statements:
            connection.run(sql, "Null")

    def close(self) -> None:
        """End the session."""
        self._connection.close()
