"""The answer to a request to ClickHouse's HTTP interface, in one piece or in chunks."""

import contextlib
import json
import logging
import time
from collections.abc import Generator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler

from embedded.body import Body
from embedded.connection import Result
from embedded.errors import ServerError
from embedded.server import Server

log = logging.getLogger(__name__)

_TYPES = {
    **dict.fromkeys(("JSON", "JSONCompact"), "application/json; charset=UTF-8"),
    **dict.fromkeys(("JSONEachRow", "JSONCompactEachRow"), "application/x-ndjson; charset=UTF-8"),
    **dict.fromkeys(("RowBinary", "Native", "Parquet"), "application/octet-stream"),
    "ArrowStream": "application/vnd.apache.arrow.stream",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    **dict.fromkeys(("TabSeparated", "TSV"), "text/tab-separated-values; charset=UTF-8"),
}


class HttpAnswer:
    """The answer to one request.

    Args:
        handler: The connection, whose request line and headers have been read.
        server: For the headers.
        query_id: For the headers.
    """

    def __init__(self, handler: BaseHTTPRequestHandler, server: Server, query_id: str) -> None:
        self._handler = handler
        self._server = server
        self._query_id = query_id
        self._begun = time.monotonic()
        self._headers_sent = False

    def plain(self, status: HTTPStatus, text: bytes, content_type: str = "") -> None:
        """Answer without a query."""
        self._reply(status, text, {"Content-Type": content_type} if content_type else {})

    def inserted(self, done: Result) -> None:
        """Report what an INSERT has written."""
        self._reply(HTTPStatus.OK, b"", self._headers_of("", [done]))

    def results(self, results: Generator[Result], form: str) -> None:
        """Answer in one piece if there is only one, else in chunks."""
        first = next(results)
        second = next(results, None) if first.body else None
        if second is None or not second.body:
            ends = [first] if second is None else [first, second]
            self._reply(HTTPStatus.OK, first.body, self._headers_of(form, ends))
            return
        chunked = self._handler.request_version != "HTTP/1.0"
        framing = {"Transfer-Encoding": "chunked"} if chunked else {"Connection": "close"}
        self._send_head(HTTPStatus.OK, {**self._headers_of(form, [first]), **framing})
        for result in (first, second):
            self._send_piece(result.body, chunked=chunked)
        for result in results:
            self._send_piece(result.body, chunked=chunked)
        if chunked and self._wants_body:
            self._handler.wfile.write(b"0\r\n\r\n")

    def refuse(self, error: ServerError, body: Body | None) -> None:
        """Send an error; in the middle of an answer, close the connection instead."""
        log.debug("%s", error)
        if body is None or body.broken or self._headers_sent:
            self._handler.close_connection = True
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

    @property
    def _wants_body(self) -> bool:
        return self._handler.command != "HEAD"

    def _send_piece(self, piece: bytes, *, chunked: bool) -> None:
        if piece and self._wants_body:
            framed = b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece
            self._handler.wfile.write(framed)

    def _reply(self, status: HTTPStatus, body: bytes, headers: dict[str, str]) -> None:
        self._send_head(status, {**headers, "Content-Length": str(len(body))})
        if body and self._wants_body:
            self._handler.wfile.write(body)

    def _send_head(self, status: HTTPStatus, headers: dict[str, str]) -> None:
        self._headers_sent = True
        self._handler.send_response(status)
        for name, value in headers.items():
            self._handler.send_header(name, value)
        if self._handler.close_connection and "Connection" not in headers:
            self._handler.send_header("Connection", "close")
        self._handler.end_headers()

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
