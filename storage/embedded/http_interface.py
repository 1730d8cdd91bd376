"""ClickHouse's HTTP interface, as far as bulk inserts, scripts and health checks use it."""

import base64
import binascii
import contextlib
import json
import logging
import socket
import time
import uuid
from collections.abc import Generator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl, urlsplit

from storage.embedded.body import Body
from storage.embedded.connection import Connection, Result
from storage.embedded.errors import Code, ServerError
from storage.embedded.listener import stop_reading
from storage.embedded.registry import RunningQuery
from storage.embedded.server import Server
from storage.embedded.session import Session
from storage.embedded.statement import Insert, insert_of, kind_of, seconds, single, without_format

log = logging.getLogger(__name__)

# Parameters of a URL that are no settings of the engine.
_OWN = {
    *("query", "database", "query_id", "user", "password", "default_format", "wait_end_of_query"),
    *("buffer_size", "enable_http_compression", "http_zlib_compression_level", "quota_key"),
    *("send_progress_in_http_headers", "add_http_cors_header"),
}
# How much of a body may be SQL before an INSERT's rows begin: ClickHouse's max_query_size.
_MOST_HEAD_BYTES = 262_144
_MOST_QUERY_BYTES = 256 << 20
_MOST_DRAINED_BYTES = 64 << 20
_TYPES = {
    **dict.fromkeys(("JSON", "JSONCompact"), "application/json; charset=UTF-8"),
    **dict.fromkeys(("JSONEachRow", "JSONCompactEachRow"), "application/x-ndjson; charset=UTF-8"),
    **dict.fromkeys(("RowBinary", "Native", "Parquet"), "application/octet-stream"),
    "ArrowStream": "application/vnd.apache.arrow.stream",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    **dict.fromkeys(("TabSeparated", "TSV"), "text/tab-separated-values; charset=UTF-8"),
}


class HttpSession(BaseHTTPRequestHandler):
    """One connection of an HTTP client, over as many requests as it keeps it open for."""

    protocol_version = "HTTP/1.1"
    rbufsize = 1 << 16

    def __init__(self, server: Server, connection: socket.socket, address: tuple[str, int]) -> None:
        self._server = server
        self._query_id = ""
        self._begun = 0.0
        self._headers_sent = False
        super().__init__(connection, address, None)  # type: ignore[arg-type] # kept, not used

    def version_string(self) -> str:
        """Name the server as ClickHouse does in its Server header."""
        return f"ClickHouse/{self._server.version}"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Send http.server's own lines to the log, at a level that is off by default."""
        log.debug(format, *args)

    def do_GET(self) -> None:
        """Answer /ping, or run a query that changes nothing."""
        self._answer()

    def do_HEAD(self) -> None:
        """Answer as GET, without a body."""
        self._answer()

    def do_POST(self) -> None:
        """Run a query; it may stand in the URL, in the body, or begin in one and end there."""
        self._answer()

    def _answer(self) -> None:
        self._headers_sent, self._begun = False, time.monotonic()
        url = urlsplit(self.path)
        parameters = dict(parse_qsl(url.query, keep_blank_values=True, errors="surrogateescape"))
        given = parameters.get("query_id") or self.headers.get("X-ClickHouse-Query-Id")
        self._query_id = given or str(uuid.uuid4())
        try:
            body = Body(self.rfile, self.headers)
        except ServerError as error:
            self._refuse(error, None)
            return
        if url.path == "/ping" or (self.command != "POST" and url.path == "/" and not url.query):
            self._reply(HTTPStatus.OK, b"Ok.\n", {"Content-Type": "text/html; charset=UTF-8"})
        elif url.path != "/":
            self._reply(HTTPStatus.NOT_FOUND, f"There is no handle {url.path}\n".encode(), {})
        else:
            self._guarded(parameters, body)
        if not body.drain(_MOST_DRAINED_BYTES):
            self.close_connection = True

    def _guarded(self, parameters: dict[str, str], body: Body) -> None:
        try:
            self._server.authenticate(*self._credentials(parameters))
            self._run(parameters, body)
        except ServerError as error:
            self._refuse(error, body)

    def _run(self, parameters: dict[str, str], body: Body) -> None:
        sql, insert = self._statement(parameters, body)
        settings = {
            name: value
            for name, value in parameters.items()
            if name not in _OWN and not name.startswith("param_")
        }
        if self.command != "POST" and settings.get("readonly", "0") == "0":
            settings["readonly"] = "2"
        database = parameters.get("database") or self.headers.get("X-ClickHouse-Database")
        settings["database"] = database or "default"
        running = self._running(sql, parameters)
        with self._server.registry.running(running):
            session = Session(self._server.engine, settings)
            with contextlib.closing(session), session.lease({}) as connection:
                if insert is None:
                    self._select(connection, running, sql, parameters)
                else:
                    self._insert(connection, running, insert, body)

    def _statement(self, parameters: dict[str, str], body: Body) -> tuple[bytes, Insert | None]:
        """Put the statement together; the rows of an INSERT stay in, or go back to, the body."""
        sql = parameters.get("query", "").encode("utf-8", "surrogateescape")
        insert = insert_of(sql) if sql and kind_of(sql) == "insert" else None
        if insert is None and self.command == "POST":
            sql += (b"\n" if sql else b"") + body.take(_MOST_HEAD_BYTES)
            insert = insert_of(sql) if kind_of(sql) == "insert" else None
        if insert is not None:
            body.give_back(sql[insert.data :])
            return sql[: insert.data], insert
        sql += body.take(_MOST_QUERY_BYTES) if self.command == "POST" else b""
        return single(sql), None

    def _running(self, sql: bytes, parameters: dict[str, str]) -> RunningQuery:
        user, _ = self._credentials(parameters)
        return RunningQuery(
            query_id=self._query_id,
            text=sql,
            user=user,
            interface=2,
            address=self.client_address,
            database=parameters.get("database", "default"),
            limit=seconds(parameters.get("max_execution_time", "0")),
        )

    def _insert(
        self, connection: Connection, running: RunningQuery, insert: Insert, body: Body
    ) -> None:
        with self._server.insert(connection, running, insert, insert.format) as insertion:
            running.unblock = lambda: stop_reading(self.connection)
            running.check()
            try:
                for piece in body:
                    insertion.append(piece)
            except ServerError:
                running.check()
                raise
            running.unblock = lambda: None
            done = insertion.commit(running.check)
        self._reply(HTTPStatus.OK, b"", self._headers_of("", [done]))

    def _select(
        self,
        connection: Connection,
        running: RunningQuery,
        sql: bytes,
        parameters: dict[str, str],
    ) -> None:
        text, own = without_format(sql)
        form = own or parameters.get("default_format") or self.headers.get("X-ClickHouse-Format")
        form = form or "TabSeparated"
        values = {
            name.removeprefix("param_"): value
            for name, value in parameters.items()
            if name.startswith("param_")
        }
        running.abort = lambda: self.connection.shutdown(socket.SHUT_RDWR)
        results = self._server.results(connection, running, text, form, values)
        with contextlib.closing(results):
            self._send_results(results, form)

    def _send_results(self, results: Generator[Result], form: str) -> None:
        """Answer in one piece if there is only one, else in chunks."""
        first = next(results)
        second = next(results, None) if first.body else None
        if second is None or not second.body:
            ends = [first] if second is None else [first, second]
            self._reply(HTTPStatus.OK, first.body, self._headers_of(form, ends))
            return
        chunked = self.request_version != "HTTP/1.0"
        framing = {"Transfer-Encoding": "chunked"} if chunked else {"Connection": "close"}
        self._send_head(HTTPStatus.OK, {**self._headers_of(form, [first]), **framing})
        for result in (first, second):
            self._send_piece(result.body, chunked=chunked)
        for result in results:
            self._send_piece(result.body, chunked=chunked)
        if chunked and self.command != "HEAD":
            self.wfile.write(b"0\r\n\r\n")

    def _send_piece(self, piece: bytes, *, chunked: bool) -> None:
        if piece and self.command != "HEAD":
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)

    def _refuse(self, error: ServerError, body: Body | None) -> None:
        """Tell the client what is wrong; in the middle of an answer, by cutting it off."""
        log.debug("%s", error)
        if body is None or body.broken or self._headers_sent:
            self.close_connection = True
        if self._headers_sent:
            return
        headers = self._headers_of("", []) | {
            "X-ClickHouse-Exception-Code": str(error.code),
            "Content-Type": "text/plain; charset=UTF-8",
        }
        if error.status is HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = 'Basic realm="ClickHouse server HTTP API"'
        version = f" (version {self._server.version})\n"
        text = f"{error}{version}".encode("utf-8", "surrogateescape")
        with contextlib.suppress(OSError):
            self._reply(error.status, text, headers)

    def _reply(self, status: HTTPStatus, body: bytes, headers: dict[str, str]) -> None:
        self._send_head(status, {**headers, "Content-Length": str(len(body))})
        if body and self.command != "HEAD":
            self.wfile.write(body)

    def _send_head(self, status: HTTPStatus, headers: dict[str, str]) -> None:
        self._headers_sent = True
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.close_connection and "Connection" not in headers:
            self.send_header("Connection", "close")
        self.end_headers()

    def _headers_of(self, form: str, results: list[Result]) -> dict[str, str]:
        headers = {
            "X-ClickHouse-Server-Display-Name": "sheaf",
            "X-ClickHouse-Timezone": self._server.timezone,
            "X-ClickHouse-Summary": self._summary(results),
            "X-ClickHouse-Query-Id": self._query_id,
        }
        if form:
            headers["X-ClickHouse-Format"] = form
            headers["Content-Type"] = _TYPES.get(form, "text/plain; charset=UTF-8")
        return headers

    def _summary(self, results: list[Result]) -> str:
        numbers = {
            "read_rows": sum(result.read_rows for result in results),
            "read_bytes": sum(result.read_bytes for result in results),
            "written_rows": sum(result.written_rows for result in results),
            "written_bytes": sum(result.written_bytes for result in results),
            "result_rows": sum(result.rows or result.written_rows for result in results),
            "elapsed_ns": int((time.monotonic() - self._begun) * 1e9),
        }
        return json.dumps({name: str(number) for name, number in numbers.items()})

    def _credentials(self, parameters: dict[str, str]) -> tuple[str, str]:
        """User and password from the X-ClickHouse headers, from Basic, or from the URL."""
        user = self.headers.get("X-ClickHouse-User")
        if user is not None:
            return user, self.headers.get("X-ClickHouse-Key", "")
        scheme, _, encoded = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            try:
                name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                raise ServerError(
                    Code.AUTHENTICATION_FAILED, "The Authorization header is no Basic credentials"
                ) from None
            return name, password
        return parameters.get("user", "default"), parameters.get("password", "")


def serve(server: Server, connection: socket.socket, address: tuple[str, int]) -> None:
    """Serve one connection until its end."""
    HttpSession(server, connection, address)
