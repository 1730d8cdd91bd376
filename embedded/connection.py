"""One session with the engine: queries, streamed results, inserted rows."""

from collections.abc import Generator, Mapping
from typing import Any, NamedTuple

from embedded.errors import ENGINE_ERRORS, ServerError
from embedded.statement import quote

# Formats without header and footer: pieces of a result in them can be joined.
STREAMED_FORMATS = {
    *("TabSeparated", "TSV", "TabSeparatedRaw", "TSVRaw", "CSV", "JSONEachRow", "JSONLines"),
    *("NDJSON", "JSONCompactEachRow", "RowBinary", "Native", "LineAsString", "RawBLOB"),
}


class Result(NamedTuple):
    """The result of one query, or of one fetch of a streamed one.

    Attributes:
        body: The rows, in the requested format.
        rows: Rows in `body`.
        read_rows: Rows that the engine has read from tables for it.
        read_bytes: Bytes that the engine has read from tables for it.
        written_rows: Rows that an INSERT has stored.
        written_bytes: Bytes that an INSERT has stored.
    """

    body: bytes
    rows: int
    read_rows: int
    read_bytes: int
    written_rows: int
    written_bytes: int


class Connection:
    """One session with the engine; for one thread at a time.

    Attributes:
        tag: Marks this session's queries in the engine.
    """

    def __init__(self, raw: Any, tag: str) -> None:  # noqa: ANN401 - chdb ships no types
        self.tag = tag
        self._raw = raw

    def set(self, settings: Mapping[str, str | None]) -> None:
        """Change settings of the session; None restores a default.

        Raises:
            ServerError: A setting is unknown, or its value is wrong.
        """
        if not settings:
            return
        # The engine knows the session by its log_comment, so a client's own follows the tag.
        pairs = (
            _name(name) + b" = " + self._value(name, value) for name, value in settings.items()
        )
        self.run(b"SET " + b", ".join(pairs), "Null")

    def _value(self, name: str, value: str | None) -> bytes:
        if name == "log_comment":
            return quote(self.tag + (value or ""))
        return b"DEFAULT" if value is None else quote(value)

    def run(self, sql: bytes, form: str, parameters: Mapping[str, str] | None = None) -> Result:
        """Run a statement to its end and return its whole result.

        Args:
            sql: The statement.
            form: ClickHouse format of the result.
            parameters: Values for `{name:Type}` in the statement.

        Raises:
            ServerError: The engine refuses it.
        """
        return _run(self._raw, sql, form, dict(parameters or {}))

    def stream(
        self, sql: bytes, form: str, parameters: Mapping[str, str] | None = None
    ) -> Generator[Result]:
        """Run a SELECT and yield its result block by block; closing the iterator cancels it.

        Args:
            sql: The query.
            form: ClickHouse format of the result, one of `STREAMED_FORMATS`.
            parameters: Values for `{name:Type}` in the query.

        Raises:
            ServerError: The engine refuses it, possibly after some blocks.
        """
        try:
            handle = self._raw.send_query(sql, form, params=dict(parameters or {}))
        except ENGINE_ERRORS as error:
            if "Streaming query is not supported" not in str(error):
                raise ServerError.from_engine(error) from None
            yield self.run(sql, form, parameters)
            return
        ended = False
        try:
            while not ended:
                fetched = _fetch(self._raw, handle)
                ended = not fetched.body
                yield fetched
        except ServerError:
            ended = True
            raise
        finally:
            if not ended:
                self._raw.streaming_cancel_query(handle)

    def feed(self, head: bytes, form: str) -> "Feed":
        """Begin an insert of rows that follow.

        Args:
            head: An INSERT without FORMAT or VALUES.
            form: ClickHouse format of the rows.

        Raises:
            ServerError: The engine refuses the statement: no such table, no such setting.
        """
        try:
            return Feed(self._raw, self._raw.send_insert(head, form))
        except ENGINE_ERRORS as error:
            raise ServerError.from_engine(error) from None

    def close(self) -> None:
        """End the session and drop its temporary tables."""
        self._raw.close()


class Feed:
    """Rows being inserted, as bytes of some format.

    chDB reports errors in the bytes, but not those of the table: :meth:`end` reports success, and
    rows written, even if the table has refused them or the insert was stopped.
    """

    def __init__(self, raw: Any, handle: Any) -> None:  # noqa: ANN401 - chdb ships no types
        self._raw = raw
        self._handle = handle
        self._ended = False

    def append(self, piece: bytes) -> None:
        """Pass more bytes to the engine; waits while it is busy.

        Raises:
            ServerError: The engine has stopped: the bytes are invalid, or it was cancelled.
        """
        try:
            self._raw.insert_append(self._handle, piece)
        except ENGINE_ERRORS as error:
            raise ServerError.from_engine(error) from None

    def end(self) -> int:
        """End the rows and wait until they are parsed; returns how many were passed on.

        Raises:
            ServerError: The bytes are invalid.
        """
        self._ended = True
        try:
            return int(self._raw.insert_done(self._handle).rows_written())
        except ENGINE_ERRORS as error:
            self._raw.insert_cancel(self._handle)
            raise ServerError.from_engine(error) from None

    def cancel(self) -> None:
        """Stop; does nothing after the end."""
        if not self._ended:
            self._ended = True
            self._raw.insert_cancel(self._handle)


def _run(raw: Any, sql: bytes, form: str, parameters: dict[str, str]) -> Result:  # noqa: ANN401 - chdb ships no types
    try:
        result = raw.query(sql, form, params=parameters)
    except ENGINE_ERRORS as error:
        raise ServerError.from_engine(error) from None
    return _result(result)


def _fetch(raw: Any, handle: Any) -> Result:  # noqa: ANN401 - chdb ships no types
    try:
        return _result(raw.streaming_fetch_result(handle))
    except ENGINE_ERRORS as error:
        raise ServerError.from_engine(error) from None


def _result(result: Any) -> Result:  # noqa: ANN401 - chdb ships no types
    if result.has_error():
        raise ServerError.from_engine(RuntimeError(result.error_message()))
    return Result(
        bytes(result.bytes()) if result.size() else b"",
        result.rows_read(),
        result.storage_rows_read(),
        result.storage_bytes_read(),
        result.rows_written(),
        result.bytes_written(),
    )


def _name(setting: str) -> bytes:
    if not setting.replace(".", "_").isidentifier() or not setting.isascii():
        # Backquotes make one name of whatever a client sends, which the engine then refuses.
        escaped = setting.replace("\\", "\\\\").replace("`", "\\`")
        return b"`" + escaped.encode("utf-8", "surrogateescape") + b"`"
    return setting.encode()
