"""The ClickHouse engine inside this process (chDB)."""

import fcntl
import importlib
import itertools
import logging
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from xml.sax.saxutils import escape

from config.units import MIB
from embedded.connection import Connection
from embedded.errors import ENGINE_ERRORS, ServerError
from embedded.priority import lower_merges
from embedded.space import LEAST_FREE
from embedded.statement import quote

log = logging.getLogger(__name__)

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
        <number_of_free_entries_in_pool_to_lower_max_size_of_merge>1</number_of_free_entries_in_pool_to_lower_max_size_of_merge>
        <number_of_free_entries_in_pool_to_execute_optimize_entire_partition>1</number_of_free_entries_in_pool_to_execute_optimize_entire_partition>
        <old_parts_lifetime>{old_parts_lifetime}</old_parts_lifetime>
        <min_free_disk_bytes_to_perform_insert>{least_free}</min_free_disk_bytes_to_perform_insert>
    </merge_tree>
    <compression>
{methods}    </compression>
    <backups>
        <allowed_path>{backups}</allowed_path>
    </backups>
</clickhouse>
"""

_METHOD = """\
        <case>
            <min_part_size>{size}</min_part_size>
            <min_part_size_ratio>0</min_part_size_ratio>
            <method>{method}</method>
        </case>
"""

# By the bytes of the parts to merge; the last that applies. Inserts count as 0 and use LZ4. At a
# low rate, merges come before RECOMPRESS applies. The first merges of full load, which have the
# sizes between, take CPU from inserts and are compressed later (docs/decisions/0039).
_METHODS = ((1, "zstd"), (40 * MIB, "lz4"), (176 * MIB, "zstd"))

# Only inserted parts are synced. The kernel writes a merged one within some 40 seconds, and until
# then a power cut must find the parts that it replaces. chDB would delete them at once.
_OLD_PARTS_SECONDS = 120

# Merges and inserts run every few seconds. Memory that is returned to the kernel in between, after
# ClickHouse's default of five seconds, has to be faulted in again. The allocation profile that
# ClickHouse prepares for is not used (docs/decisions/0009).
_ALLOCATOR = "dirty_decay_ms:60000,muzzy_decay_ms:60000,prof:false"

# A server's defaults where chDB has a command-line tool's, and one block for every insert of up to
# max_insert_block_size rows, however many bytes: such an insert is one part in each partition, and
# is stored whole or not at all.
_DEFAULTS = {
    "implicit_select": "0",
    "allow_introspection_functions": "0",
    "min_insert_block_size_bytes": "0",
    "max_insert_threads": "1",
}

# ClickHouse starts its merge threads with the first table.
_FIRST_TABLE = (
    b"CREATE TEMPORARY TABLE first_table (x UInt8) ENGINE = MergeTree ORDER BY x",
    b"DROP TEMPORARY TABLE first_table",
)


class EngineError(Exception):
    """The engine cannot be started; the text says why in one line."""


class Engine:
    """The one ClickHouse engine of this process, on one directory.

    Args:
        directory: Where it keeps its files; created if missing.
        memory_ratio: Share of the machine's memory that the engine may use, 0 to 1.
        merges: Maximum number of background merges and mutations at a time.
        backups: The folder below which backups are; default: `backups` beside `directory`.
    """

    def __init__(
        self,
        directory: Path,
        *,
        memory_ratio: float = 0.5,
        merges: int = 2,
        backups: Path | None = None,
    ) -> None:
        self.directory = directory.absolute()
        folder = (backups or self.directory.parent / "backups").absolute()
        self._config = _CONFIG.format(
            memory_ratio=memory_ratio,
            merges=merges,
            methods="".join(_METHOD.format(size=size, method=name) for size, name in _METHODS),
            old_parts_lifetime=_OLD_PARTS_SECONDS,
            least_free=LEAST_FREE,
            backups=escape(str(folder)),
        )
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
        # jemalloc reads this when it is loaded. The prefix in the name is that of chDB's build.
        os.environ.setdefault("JE_MALLOC_CONF", _ALLOCATOR)
        # Importing chdb starts a temporary engine and sets signal handlers: only when needed.
        chdb: Any = importlib.import_module("chdb._chdb")
        chdb.reset_signal_handlers()
        chdb.set_signal_handlers_enabled(0)
        config = self._prepare()
        self._connect = chdb.connect
        try:
            self._root = chdb.connect(f"{self.directory}?config-file={config}")
        except ENGINE_ERRORS as error:
            raise EngineError(f"ClickHouse cannot open {self.directory}: {error}") from None
        for statement in _FIRST_TABLE:
            self.ask(statement)
        lower_merges()

    def _prepare(self) -> Path:
        if {"?", "&", "%"} & set(str(self.directory)):
            raise EngineError(f"{self.directory}: the path must not contain ?, & or %")
        config = self.directory / "server.xml"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            _check_free(self.directory)
            config.write_text(self.configuration(), encoding="utf-8")
            self._drop_empty_mutations()
        except OSError as error:
            raise EngineError(f"{self.directory} cannot be used: {error.strerror}") from None
        return config

    def _drop_empty_mutations(self) -> None:
        """Delete empty mutation files, left by a full disk: the engine cannot load their tables."""
        for file in self.directory.glob("store/*/*/mutation_*.txt"):
            if not file.stat().st_size:
                log.warning("deleted %s: it is empty, so its mutation was never confirmed", file)
                file.unlink()

    def configuration(self) -> str:
        """The engine's configuration, as XML."""
        return self._config

    def connect(self, settings: Mapping[str, str]) -> Connection:
        """Open a session with its own current database, settings and temporary tables.

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
        """Stop whatever runs on the connection with this tag, without waiting."""
        condition = b"startsWith(Settings['log_comment'], " + quote(tag) + b")"
        with self._root_lock:
            if self._root is not None:
                self._root.query(b"KILL QUERY WHERE " + condition + b" ASYNC", "Null")

    def ask(self, sql: bytes) -> list[str]:
        """Run a small internal query and return its only column.

        Raises:
            ServerError: The engine refuses the query.
        """
        with self._root_lock:
            if self._root is None:
                return []
            return Connection(self._root, "").run(sql, "TSV").body.decode().splitlines()

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


def _check_free(directory: Path) -> None:
    """Raise EngineError if another process holds ClickHouse's lock on its `status` file."""
    with (directory / "status").open("a") as status:
        try:
            fcntl.flock(status, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EngineError(f"{directory} is in use by another process") from None
