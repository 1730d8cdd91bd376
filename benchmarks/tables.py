"""Sheaf's tables in an engine of this process, and the cost of actions and inserts there."""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pyarrow as pa
from chdb import _chdb

from config.settings import Settings
from storage.schema.files import migrations
from storage.schema.migrate import statements


class Tables:
    """All tables of the schema, empty, in which nothing is merged."""

    def __init__(self, folder: str) -> None:
        """Make them in `folder`."""
        self._connection = _chdb.connect(f"{folder}/data")
        settings = Settings(fsync_parts=False)
        for migration in migrations():
            for statement in statements(migration.sql, settings):
                self._connection.query(statement, "CSV")
        self._connection.query("SYSTEM STOP MERGES", "CSV")

    def insert(self, table: str, stream: bytes) -> None:
        """Add the rows of an Arrow IPC stream."""
        query = self._connection.send_insert(f"INSERT INTO {table}", "ArrowStream")
        self._connection.insert_append(query, stream)
        self._connection.insert_done(query)

    def clear(self, table: str) -> None:
        """Take all rows out of a table."""
        self._connection.query(f"TRUNCATE TABLE {table}", "CSV")

    def close(self) -> None:
        """End the engine."""
        self._connection.close()


@contextmanager
def tables() -> Iterator[Tables]:
    """Tables in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        made = Tables(folder)
        try:
            yield made
        finally:
            made.close()


def arguments() -> tuple[int, float]:
    """How often to measure, and the share of the records to make."""
    given = sys.argv[1:] + ["5", "1"][len(sys.argv) - 1 :]
    return int(given[0]), float(given[1])


def stream_of(batch: pa.RecordBatch) -> bytes:
    """Return the batch as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def best(runs: int, action: Callable[[], object]) -> float:
    """Return the least CPU seconds that the action took."""
    taken = []
    for _ in range(runs):
        start = time.process_time()
        action()
        taken.append(time.process_time() - start)
    return min(taken)
