"""ClickHouse's HTTP interface, the part that bulk inserts, scripts and health checks use."""

import contextlib
import logging
import socket
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler

from embedded.body import Body
from embedded.connection import Connection
from embedded.errors import ServerError
from embedded.http_answer import HttpAnswer
from embedded.http_request import HttpRequest
from embedded.listener import stop_reading
from embedded.registry import RunningQuery
from embedded.server import Server
from embedded.session import Session
from embedded.statement import Insert, seconds, without_format

log = logging.getLogger(__name__)

_MOST_DRAINED_BYTES = 64 << 20


class HttpSession(BaseHTTPRequestHandler):
    """One connection of an HTTP client, for any number of requests."""

    protocol_version = "HTTP/1.1"
    rbufsize = 1 << 16

    def __init__(self, server: Server, connection: socket.socket, address: tuple[str, int]) -> None:
        self._server = server
        super().__init__(connection, address, None)  # type: ignore[arg-type] # kept, not used

    def version_string(self) -> str:
        """Name the server as ClickHouse does in its Server header."""
        return f"ClickHouse/{self._server.version}"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Log http.server's lines at a level that is off by default."""
        log.debug(format, *args)

    def do_GET(self) -> None:
        """Answer /ping, or run a read-only query."""
        self._handle()

    def do_HEAD(self) -> None:
        """Answer as GET, without a body."""
        self._handle()

    def do_POST(self) -> None:
        """Run a query from the URL, from the body, or from both."""
        self._handle()

    def _handle(self) -> None:
        request = HttpRequest(self.command, self.path, self.headers)
        answer = HttpAnswer(self, self._server, request.query_id)
        try:
            body = Body(self.rfile, self.headers)
        except ServerError as error:
            answer.refuse(error, None)
            return
        if request.path == "/ping" or (request.path == "/" and request.asks_nothing):
            answer.plain(HTTPStatus.OK, b"Ok.\n", "text/html; charset=UTF-8")
        elif request.path != "/":
            answer.plain(HTTPStatus.NOT_FOUND, f"There is no handle {request.path}\n".encode())
        else:
            self._guarded(request, body, answer)
        if not body.drain(_MOST_DRAINED_BYTES):
            self.close_connection = True

    def _guarded(self, request: HttpRequest, body: Body, answer: HttpAnswer) -> None:
        try:
            self._server.authenticate(*request.credentials())
            self._run(request, body, answer)
        except ServerError as error:
            answer.refuse(error, body)

    def _run(self, request: HttpRequest, body: Body, answer: HttpAnswer) -> None:
        sql, insert = request.statement(body)
        running = self._running(sql, request)
        with self._server.registry.running(running):
            session = Session(self._server.engine, request.settings)
            with contextlib.closing(session), session.lease({}) as connection:
                if insert is None:
                    self._select(connection, running, sql, request, answer)
                else:
                    self._insert(connection, running, insert, body, answer)

    def _running(self, sql: bytes, request: HttpRequest) -> RunningQuery:
        user, _ = request.credentials()
        return RunningQuery(
            query_id=request.query_id,
            text=sql,
            user=user,
            interface=2,
            address=self.client_address,
            database=request.database,
            limit=seconds(request.time_limit),
        )

    def _insert(
        self,
        connection: Connection,
        running: RunningQuery,
        insert: Insert,
        body: Body,
        answer: HttpAnswer,
    ) -> None:
        with self._server.insert(connection, running, insert, insert.format) as insertion:
            running.unblock = lambda: stop_reading(self.connection)
            running.check()
            for piece in body:
                insertion.append(piece)
            running.unblock = lambda: None
            done = insertion.commit(running.check)
        answer.inserted(done)

    def _select(
        self,
        connection: Connection,
        running: RunningQuery,
        sql: bytes,
        request: HttpRequest,
        answer: HttpAnswer,
    ) -> None:
        text, named = without_format(sql)
        form = named or request.form
        running.abort = lambda: self.connection.shutdown(socket.SHUT_RDWR)
        results = self._server.results(connection, running, text, form, request.values)
        with contextlib.closing(results):
            answer.results(results, form)


def serve(server: Server, connection: socket.socket, address: tuple[str, int]) -> None:
    """Serve one connection until its end."""
    HttpSession(server, connection, address)
