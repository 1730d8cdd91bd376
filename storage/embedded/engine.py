"""The ClickHouse engine inside this process (chDB): connections, queries, inserts, cancelling."""

import fcntl
import importlib
import itertools
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from storage.embedded.errors import ServerError
from storage.embedded.statement import quote

_CONFIG = """\
<clickhouse>
    <max_server_memory_usage_to_ram_ratio>{memory_ratio}</max_server_memory_usage_to_ram_ratio>
    <background_pool_size>{merges}</background_pool_size>
    <background_merges_mutations_concurrency_ratio>1</background_merges_mutations_concurrency_ratio>
    <background_schedule_pool_size>8</background_schedule_pool_size>
    <background_common_pool_size>2</background_common_pool_size>
    <mark_cache_size>268435456</mark_cache_size>
    <merge_tree>
        <number_of_free_entries_in_pool_to_execute_mutation>1</number_of_free_entries_in_pool_to_execute_mutation>
        <number_of_free_entries_in_pool_to_lower_max_size_of_merge>2</number_of_free_entries_in_pool_to_lower_max_size_of_merge>
        <number_of_free_entries_in_pool_to_execute_optimize_entire_partition>1</number_of_free_entries_in_pool_to_execute_optimize_entire_partition>
    </merge_tree>
</clickhouse>
"""

# A server's defaults where chDB has a command-line tool's, and one block for every insert of up
# to max_insert_block_size rows, however many bytes they are: such an insert is one part in each
# partition that it touches, and is there whole or not at all.
_DEFAULTS = {
    "implicit_select": "0",
    "allow_introspection_functions": "0",
    "min_insert_block_size_bytes": "0",
}


class EngineError(Exception):
    """The engine cannot be started; the text says why in one line."""


class Result(NamedTuple):
    """What came back from one query, or from one fetch of a streamed one.

    Attributes:
        body: The rows, in the format asked for.
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


class Engine:
    """The one ClickHouse engine of this process, on one directory.

    Args:
        directory: Where it keeps its files; made if missing.
        memory_ratio: Part of the machine's memory that the engine may take, 0 to 1.
        merges: Most merges and mutations that run in the background at a time.
    """

    def __init__(self, directory: Path, *, memory_ratio: float = 0.5, merges: int = 2) -> None:
        self.directory = directory.absolute()
        self._config = _CONFIG.format(memory_ratio=memory_ratio, merges=merges)
        self._root: Any = None
        self._connect: Any = None
        self._root_lock = threading.Lock()
        self._tags = itertools.count(1)
        self._integers: dict[str, bool] = {}

    def open(self) -> None:
        """Start the engine and load the tables.

        Raises:
            EngineError: The directory cannot be used, or another process is using it.
        """
        # Importing chdb starts a throw-away engine and sets signal handlers: only when needed.
        chdb: Any = importlib.import_module("chdb._chdb")
        chdb.reset_signal_handlers()
        chdb.set_signal_handlers_enabled(0)
        config = self._prepare()
        self._connect = chdb.connect
        try:
            self._root = chdb.connect(f"{self.directory}?config-file={config}")
        except RuntimeError as error:
            raise EngineError(f"ClickHouse cannot open {self.directory}: {error}") from None

    def _prepare(self) -> Path:
        if {"?", "&", "%"} & set(str(self.directory)):
            raise EngineError(f"{self.directory}: the engine takes no ?, & or % in a path")
        config = self.directory / "server.xml"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            _check_free(self.directory)
            config.write_text(self._config, encoding="utf-8")
        except OSError as error:
            raise EngineError(f"{self.directory} cannot be used: {error.strerror}") from None
        return config

    def connect(self, settings: Mapping[str, str]) -> "Connection":
        """Open a session of its own: current database, settings and temporary tables.

        Args:
            settings: ClickHouse settings; `database` is the current database.

        Raises:
            ServerError: A setting is unknown or its value is wrong.
        """
        connection = Connection(self._connect(str(self.directory)), f"sheaf-{next(self._tags)};")
        try:
            connection.set({**_DEFAULTS, "log_comment": "", **settings})
        except ServerError:
            connection.close()
            raise
        return connection

    def kill(self, tag: str) -> None:
        """Ask the engine to stop whatever runs on the connection with this tag; do not wait."""
        condition = b"startsWith(Settings['log_comment'], " + quote(tag) + b")"
        with self._root_lock:
            if self._root is not None:
                self._root.query(b"KILL QUERY WHERE " + condition + b" ASYNC", "Null")

    def ask(self, sql: bytes) -> list[str]:
        """Run a small query of the server's own and give its only column.

        Raises:
            ServerError: The engine refuses the query.
        """
        with self._root_lock:
            if self._root is None:
                return []
            return _run(self._root, sql, "TSV", {}).body.decode().splitlines()

    def is_integer(self, setting: str) -> bool:
        """Whether a setting's value is a whole number, as old native clients send it."""
        if setting not in self._integers:
            types = self.ask(b"SELECT type FROM system.settings WHERE name = " + quote(setting))
            text = {"String", "Float", "Double", "Char", "Map"}
            self._integers[setting] = bool(types) and not any(
                types[0].startswith(name) or "Enum" in types[0] for name in text
            )
        return self._integers[setting]

    def close(self) -> None:
        """Stop background work and close every table; all other connections must be closed."""
        with self._root_lock:
            root, self._root = self._root, None
        if root is not None:
            root.close()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Connection:
    """One session with the engine; for one thread at a time.

    Attributes:
        tag: What the engine knows this session's queries by.
    """

    def __init__(self, raw: Any, tag: str) -> None:  # noqa: ANN401 - chdb ships no types
        self.tag = tag
        self._raw = raw

    def set(self, settings: Mapping[str, str | None]) -> None:
        """Change settings of the session; None gives a setting its default back.

        Raises:
            ServerError: A setting is unknown, or its value is wrong.
        """
        if not settings:
            return
        # The engine knows the session by its log_comment: a client's own comes behind the tag.
        pairs = (
            _name(name) + b" = " + self._value(name, value) for name, value in settings.items()
        )
        self.run(b"SET " + b", ".join(pairs), "Null")

    def _value(self, name: str, value: str | None) -> bytes:
        if name == "log_comment":
            return quote(self.tag + (value or ""))
        return b"DEFAULT" if value is None else quote(value)

    def run(self, sql: bytes, form: str, parameters: Mapping[str, str] | None = None) -> Result:
        """Run a statement to its end and give all of its result at once.

        Args:
            sql: The statement.
            form: ClickHouse format of the result.
            parameters: Values for `{name:Type}` in the statement.

        Raises:
            ServerError: What the engine says against it.
        """
        return _run(self._raw, sql, form, dict(parameters or {}))

    def stream(
        self, sql: bytes, form: str, parameters: Mapping[str, str] | None = None
    ) -> Iterator[Result]:
        """Run a SELECT and give its result block by block; closing the iterator cancels it.

        Raises:
            ServerError: What the engine says against it, possibly after some blocks.
        """
        try:
            handle = self._raw.send_query(sql, form, params=dict(parameters or {}))
        except RuntimeError as error:
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

    def insert(self, head: bytes, form: str) -> "Insertion":
        """Begin an INSERT whose rows follow.

        Args:
            head: The statement without FORMAT or VALUES.
            form: ClickHouse format of the rows.

        Raises:
            ServerError: The engine refuses the statement: no such table, no such setting.
        """
        try:
            return Insertion(self._raw, self._raw.send_insert(head, form))
        except RuntimeError as error:
            raise ServerError.from_engine(error) from None

    def close(self) -> None:
        """End the session; its temporary tables go with it."""
        self._raw.close()


class Insertion:
    """An INSERT under way: append its rows, then commit; leaving its block uncommitted cancels."""

    def __init__(self, raw: Any, handle: Any) -> None:  # noqa: ANN401 - chdb ships no types
        self._raw = raw
        self._handle = handle
        self._ended = False

    def append(self, piece: bytes) -> None:
        """Give the engine more bytes; waits while it is busy.

        Raises:
            ServerError: The engine has stopped: the bytes are no rows, or it was cancelled.
        """
        try:
            self._raw.insert_append(self._handle, piece)
        except RuntimeError as error:
            raise ServerError.from_engine(error) from None

    def commit(self) -> Result:
        """End the rows and store them.

        chDB reports success here for an insert that was killed or ran out of time with nothing
        stored, so the caller must know of both by itself.

        Raises:
            ServerError: The engine refuses the rows; none of the last block is stored.
        """
        self._ended = True
        try:
            done = self._raw.insert_done(self._handle)
        except RuntimeError as error:
            self._raw.insert_cancel(self._handle)
            raise ServerError.from_engine(error) from None
        return Result(b"", 0, 0, 0, done.rows_written(), done.bytes_written())

    def cancel(self) -> None:
        """Throw away what is not stored yet; nothing happens after a commit."""
        if not self._ended:
            self._ended = True
            self._raw.insert_cancel(self._handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()


def _run(raw: Any, sql: bytes, form: str, parameters: dict[str, str]) -> Result:  # noqa: ANN401 - chdb ships no types
    try:
        result = raw.query(sql, form, params=parameters)
    except RuntimeError as error:
        raise ServerError.from_engine(error) from None
    return _result(result)


def _fetch(raw: Any, handle: Any) -> Result:  # noqa: ANN401 - chdb ships no types
    try:
        return _result(raw.streaming_fetch_result(handle))
    except RuntimeError as error:
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
        # Backquotes keep whatever a client sends one name: the engine then says it is unknown.
        escaped = setting.replace("\\", "\\\\").replace("`", "\\`")
        return b"`" + escaped.encode("utf-8", "surrogateescape") + b"`"
    return setting.encode()


def _check_free(directory: Path) -> None:
    """Ask for the lock that ClickHouse holds on its `status` file; raises if it is taken."""
    with (directory / "status").open("a") as status:
        try:
            fcntl.flock(status, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EngineError(f"{directory} is in use by another process") from None
