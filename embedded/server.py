"""What both interfaces share: authentication, running a query, and stopping it."""

import contextlib
import hmac
import json
import logging
import threading
from collections.abc import Generator, Mapping

from embedded.connection import STREAMED_FORMATS, Connection, Result
from embedded.engine import Engine
from embedded.errors import Code, ServerError
from embedded.failed_writes import FailedWrites
from embedded.insertion import Insertion
from embedded.registry import Registry, RunningQuery
from embedded.space import check_space
from embedded.statement import (
    Insert,
    Kill,
    StatementKind,
    kill_of,
    kind_of,
    quote,
    refuse_outfile,
    replace_processes,
    time_limit,
    without_format,
)

log = logging.getLogger(__name__)

# How often running queries are checked for disconnected clients and exceeded time limits.
_WATCH_SECONDS = 0.05

# How long a cancelled query may take to notice when the server stops.
_CANCEL_SECONDS = 2.0


class Server:
    """The engine, its users and its running queries.

    Args:
        engine: The open engine.
        user: The only user.
        password: That user's password.
    """

    def __init__(self, engine: Engine, user: str, password: str) -> None:
        self.engine = engine
        self.registry = Registry()
        self.version = engine.ask(b"SELECT version()")[0]
        self.timezone = engine.ask(b"SELECT serverTimezone()")[0]
        self._user = user
        self._password = password
        self._failed_writes = FailedWrites(engine.ask)
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="watch", daemon=True)

    def start(self) -> None:
        """Start watching the running queries and the engine's writes."""
        self._failed_writes.check()
        self._failed_writes.start()
        self._watcher.start()

    def stop(self, seconds: float) -> None:
        """Accept no more queries, let running ones end, cancel those that take longer.

        Args:
            seconds: How long they may take.
        """
        self.registry.close()
        for query in self.registry.wait(seconds):
            log.warning("query %s is cancelled: the server is stopping", query.query_id)
            self.cancel(query, Code.ABORTED)
        self.registry.wait(_CANCEL_SECONDS)
        self._stopping.set()
        self._watcher.join()
        self._failed_writes.stop()

    def authenticate(self, user: str, password: str) -> None:
        """Raise AUTHENTICATION_FAILED unless both are right, without saying which was wrong."""
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
        """Run a statement that brings no rows, and yield its result piece by piece.

        Raises:
            ServerError: The engine refuses it, or it was stopped.
        """
        query.tag = connection.tag
        query.check()
        kind = kind_of(sql)
        if kind == "kill":
            yield self._kill(connection, query, sql, form)
            return
        if kind == "change":
            check_space(self.engine.directory)
        refuse_outfile(sql)
        text = replace_processes(sql, self.registry.as_table()) if kind == "select" else sql
        if kind != "select" or form not in STREAMED_FORMATS:
            result = connection.run(text, form, parameters)
            if _confirms(kind, sql):
                self._failed_writes.check()
            yield result
            return
        # Closed before the connection is used again, even while an error's traceback refers to it.
        with contextlib.closing(connection.stream(text, form, parameters)) as stream:
            if _confirms(kind, sql):
                pieces = tuple(stream)
                self._failed_writes.check()
                yield from pieces
                return
            for result in stream:
                query.check()
                yield result

    def insert(
        self, connection: Connection, query: RunningQuery, insert: Insert, form: str
    ) -> Insertion:
        """Begin an INSERT whose rows follow.

        Args:
            connection: Where it runs.
            query: Its entry in the registry, with the time limit of its session.
            insert: The statement.
            form: ClickHouse format of the rows.

        Raises:
            ServerError: The engine refuses the statement.
        """
        limit = time_limit(insert.settings)
        query.limit = query.limit if limit is None else limit
        query.tag = connection.tag
        query.check()
        return Insertion(connection, insert, form, self._failed_writes.check)

    def cancel(self, query: RunningQuery, reason: Code = Code.QUERY_WAS_CANCELLED) -> None:
        """Stop a query as soon as the engine allows it."""
        query.cancel(reason)
        query.interrupt(self.engine.kill)

    def _kill(self, connection: Connection, asking: RunningQuery, sql: bytes, form: str) -> Result:
        kill = kill_of(sql)
        for query in (queries := self._matching(connection, kill, asking)):
            if kill.mode != "TEST":
                self.cancel(query)
        for query in queries if kill.mode == "SYNC" else []:
            while not query.ended.wait(_WATCH_SECONDS):
                asking.check()
        if not queries:
            return Result(b"", 0, 0, 0, 0, 0)
        status = "finished" if kill.mode == "SYNC" else "waiting"
        rows = b", ".join(_killed(query, status) for query in queries)
        columns = b"'kill_status String, query_id String, user String, query String', "
        _, named = without_format(sql)
        return connection.run(b"SELECT * FROM values(" + columns + rows + b")", named or form)

    def _matching(
        self, connection: Connection, kill: Kill, asking: RunningQuery
    ) -> list[RunningQuery]:
        processes = self.registry.as_table()
        sql = b"SELECT query_id FROM " + processes + b" WHERE (" + kill.condition + b"\n)"
        found = connection.run(sql, "JSONCompactEachRow").body.splitlines()
        ids = {json.loads(line)[0] for line in found} - {asking.query_id}
        return [query for query in self.registry.snapshot() if query.query_id in ids]

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
        except Exception:
            log.exception("query %s cannot be stopped", query.query_id)


def _confirms(kind: StatementKind, sql: bytes) -> bool:
    """Whether an answer may confirm that something was written.

    Queries of system tables count, because those report background work: backups and mutations.
    """
    return kind in {"insert", "change", "other"} or (kind == "select" and b"system." in sql.lower())


def _killed(query: RunningQuery, status: str) -> bytes:
    text = query.text.decode("utf-8", "surrogateescape")
    return b"(" + b", ".join(map(quote, (status, query.query_id, query.user, text))) + b")"
