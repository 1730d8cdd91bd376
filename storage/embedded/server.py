"""What both interfaces share: who may come in, how a query runs, and how it is stopped."""

import hmac
import json
import logging
import threading
from collections.abc import Generator, Mapping

from storage.embedded.connection import STREAMED_FORMATS, Connection, Result
from storage.embedded.engine import Engine
from storage.embedded.errors import Code, ServerError
from storage.embedded.insertion import Insertion
from storage.embedded.registry import Registry, RunningQuery
from storage.embedded.statement import (
    Insert,
    kill_of,
    kind_of,
    quote,
    replace_processes,
    time_limit,
    without_format,
)

log = logging.getLogger(__name__)

# How often running queries are looked at for a client that went away or a time that is up.
_WATCH_SECONDS = 0.05


class Server:
    """The engine, its users and its running queries.

    Args:
        engine: The open engine.
        user: The one user that may come in.
        password: That user's password.
    """

    def __init__(self, engine: Engine, user: str, password: str) -> None:
        self.engine = engine
        self.registry = Registry()
        self.version = engine.ask(b"SELECT version()")[0]
        self.timezone = engine.ask(b"SELECT serverTimezone()")[0]
        self._user = user
        self._password = password
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="watch", daemon=True)

    def start(self) -> None:
        """Begin to watch the running queries."""
        self._watcher.start()

    def stop(self, seconds: float) -> None:
        """Let running queries end, cancel those that take longer, and stop watching.

        Args:
            seconds: How long they may go on.
        """
        for query in self.registry.snapshot():
            query.ended.wait(seconds)
        self._stopping.set()
        for query in self.registry.snapshot():
            log.warning("query %s is cancelled: the server stops", query.query_id)
            self.cancel(query, Code.ABORTED)
            query.ended.wait(1.0)
        self._watcher.join()

    def authenticate(self, user: str, password: str) -> None:
        """Let a client in, or raise AUTHENTICATION_FAILED without saying what was wrong."""
        known = hmac.compare_digest(user.encode("utf-8", "surrogateescape"), self._user.encode())
        right = hmac.compare_digest(
            password.encode("utf-8", "surrogateescape"), self._password.encode()
        )
        if not (known and right):
            raise ServerError(
                Code.AUTHENTICATION_FAILED,
                f"{user}: Authentication failed: password is incorrect, "
                "or there is no user with such name",
            )

    def results(
        self,
        connection: Connection,
        query: RunningQuery,
        sql: bytes,
        form: str,
        parameters: Mapping[str, str],
    ) -> Generator[Result]:
        """Run a statement that brings no rows along, and give its result piece by piece.

        Raises:
            ServerError: What the engine says against it, or why it was stopped.
        """
        query.tag = connection.tag
        query.check()
        kind = kind_of(sql)
        try:
            if kind == "kill":
                yield self._kill(connection, query, sql, form)
                return
            text = replace_processes(sql, self.registry.as_table()) if kind == "select" else sql
            if kind != "select" or form not in STREAMED_FORMATS:
                yield connection.run(text, form, parameters)
                return
            for result in connection.stream(text, form, parameters):
                query.check()
                yield result
        except ServerError:
            query.check()
            raise

    def insert(
        self, connection: Connection, query: RunningQuery, insert: Insert, form: str
    ) -> Insertion:
        """Begin an INSERT whose rows follow.

        Args:
            connection: Where it runs.
            query: Its entry in the registry, with the time limit of its session.
            insert: The statement.
            form: ClickHouse format in which the rows come.

        Raises:
            ServerError: The engine refuses the statement.
        """
        own = time_limit(insert.settings)
        query.limit = query.limit if own is None else own
        query.tag = connection.tag
        query.check()
        return Insertion(connection, insert, form)

    def cancel(self, query: RunningQuery, reason: Code = Code.QUERY_WAS_CANCELLED) -> None:
        """Stop a query as soon as the engine lets go of it."""
        query.cancel(reason)
        if query.tag:
            self.engine.kill(query.tag)
        query.unblock()

    def _kill(self, connection: Connection, asking: RunningQuery, sql: bytes, form: str) -> Result:
        kill = kill_of(sql)
        found = connection.run(
            b"SELECT query_id FROM "
            + self.registry.as_table()
            + b" WHERE ("
            + kill.condition
            + b"\n)",
            "JSONCompactEachRow",
        )
        ids = {json.loads(line)[0] for line in found.body.splitlines()} - {asking.query_id}
        queries = [query for query in self.registry.snapshot() if query.query_id in ids]
        for query in queries if kill.mode != "TEST" else []:
            self.cancel(query)
        if kill.mode == "SYNC":
            for query in queries:
                _wait(query, asking)
        status = b"'finished'" if kill.mode == "SYNC" else b"'waiting'"
        rows = [
            b"("
            + b", ".join((status, quote(query.query_id), quote(query.user), _text(query)))
            + b")"
            for query in queries
        ]
        if not rows:
            return Result(b"", 0, 0, 0, 0, 0)
        _, own = without_format(sql)
        columns = b"'kill_status String, query_id String, user String, query String', "
        return connection.run(
            b"SELECT * FROM values(" + columns + b", ".join(rows) + b")", own or form
        )

    def _watch(self) -> None:
        while not self._stopping.wait(_WATCH_SECONDS):
            for query in self.registry.snapshot():
                self._look(query)

    def _look(self, query: RunningQuery) -> None:
        try:
            if query.expired:
                self.cancel(query, Code.TIMEOUT_EXCEEDED)
            elif query.cancelled or query.hung_up():
                self.cancel(query, Code.QUERY_WAS_CANCELLED_BY_CLIENT)
            if query.stuck:
                query.abort()
        except Exception:
            log.exception("query %s cannot be stopped", query.query_id)


def _wait(query: RunningQuery, asking: RunningQuery) -> None:
    while not query.ended.wait(_WATCH_SECONDS):
        asking.check()


def _text(query: RunningQuery) -> bytes:
    return quote(query.text.decode("utf-8", "surrogateescape"))
