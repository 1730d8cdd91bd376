"""A request to ClickHouse's HTTP interface: credentials, statement, settings."""

import base64
import binascii
import uuid
from email.message import Message
from urllib.parse import parse_qsl, urlsplit

from embedded.body import Body
from embedded.errors import Code, ServerError
from embedded.statement import Insert, insert_of, kind_of, single

# Parameters of a URL that are not settings of the engine.
_NOT_SETTINGS = {
    *("query", "database", "query_id", "user", "password", "default_format", "wait_end_of_query"),
    *("buffer_size", "enable_http_compression", "http_zlib_compression_level", "quota_key"),
    *("send_progress_in_http_headers", "add_http_cors_header"),
}
# How much of a body may be SQL before an INSERT's rows begin: ClickHouse's max_query_size.
_MOST_HEAD_BYTES = 262_144
_MOST_QUERY_BYTES = 256 << 20


class HttpRequest:
    """Method, URL and headers of one request; its body is read where it is needed."""

    def __init__(self, method: str, target: str, headers: Message) -> None:
        url = urlsplit(target)
        self.path = url.path
        self.reads_only = method != "POST"
        self.asks_nothing = self.reads_only and not url.query
        self._parameters = dict(
            parse_qsl(url.query, keep_blank_values=True, errors="surrogateescape")
        )
        self._headers = headers
        self.query_id = self._of("query_id", "X-ClickHouse-Query-Id") or str(uuid.uuid4())

    @property
    def database(self) -> str:
        """The current database."""
        return self._of("database", "X-ClickHouse-Database") or "default"

    @property
    def form(self) -> str:
        """Format of the answer if the query names none."""
        return self._of("default_format", "X-ClickHouse-Format") or "TabSeparated"

    @property
    def time_limit(self) -> str:
        """`max_execution_time` as it was given; "0" is none."""
        return self._parameters.get("max_execution_time", "0")

    @property
    def settings(self) -> dict[str, str]:
        """Settings of the engine; only a POST may change anything."""
        settings = {
            name: value
            for name, value in self._parameters.items()
            if name not in _NOT_SETTINGS and not name.startswith("param_")
        }
        if self.reads_only and settings.get("readonly", "0") == "0":
            settings["readonly"] = "2"
        return settings | {"database": self.database}

    @property
    def values(self) -> dict[str, str]:
        """Values of the query's `{name:Type}` parameters."""
        return {
            name.removeprefix("param_"): value
            for name, value in self._parameters.items()
            if name.startswith("param_")
        }

    def statement(self, body: Body) -> tuple[bytes, Insert | None]:
        """The statement, from URL and body; the rows of an INSERT remain in the body."""
        sql = self._parameters.get("query", "").encode("utf-8", "surrogateescape")
        insert = insert_of(sql) if sql and kind_of(sql) == "insert" else None
        if insert is None and not self.reads_only:
            sql += (b"\n" if sql else b"") + body.take(_MOST_HEAD_BYTES)
            insert = insert_of(sql) if kind_of(sql) == "insert" else None
        if insert is not None:
            body.give_back(sql[insert.data :])
            return sql[: insert.data], insert
        sql += b"" if self.reads_only else body.take(_MOST_QUERY_BYTES)
        return single(sql), None

    def credentials(self) -> tuple[str, str]:
        """User and password from the X-ClickHouse headers, from Basic, or from the URL.

        Raises:
            ServerError: The Authorization header cannot be read.
        """
        user = self._headers.get("X-ClickHouse-User")
        if user is not None:
            return user, self._headers.get("X-ClickHouse-Key", "")
        scheme, _, encoded = self._headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "basic":
            return _basic(encoded)
        return self._parameters.get("user", "default"), self._parameters.get("password", "")

    def _of(self, parameter: str, header: str) -> str:
        return self._parameters.get(parameter) or self._headers.get(header) or ""


def _basic(encoded: str) -> tuple[str, str]:
    try:
        name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise ServerError(
            Code.AUTHENTICATION_FAILED, "The Authorization header has no valid Basic credentials"
        ) from None
    return name, password
