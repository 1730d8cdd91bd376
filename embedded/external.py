"""External tables: rows that come with a query, as temporary tables that it can read."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from embedded.blocks import Block
from embedded.columns import Column
from embedded.connection import Connection

Tables = dict[str, list[Block]]
"""Blocks of each external table, by its name; the first says which columns the table has."""


@contextmanager
def created(connection: Connection, tables: Mapping[str, list[Block]]) -> Iterator[None]:
    """Keep temporary tables with these rows while the block runs.

    Args:
        connection: Where the query runs.
        tables: The tables' blocks.

    Raises:
        ServerError: The session has a temporary table of the same name, or a type is unknown.
    """
    made: list[bytes] = []
    try:
        for name, blocks in tables.items():
            quoted = Column(name, "", "", "").quoted
            _create(connection, quoted, blocks[0])
            made.append(quoted)
            _fill(connection, quoted, blocks)
        yield
    finally:
        for quoted in made:
            connection.run(b"DROP TEMPORARY TABLE IF EXISTS " + quoted, "Null")


def _create(connection: Connection, quoted: bytes, first: Block) -> None:
    columns = b", ".join(Column(name, kind, "", "").definition for name, kind in first.columns)
    statement = b"CREATE TEMPORARY TABLE " + quoted + b" (" + columns + b") ENGINE = Memory"
    connection.run(statement, "Null")


def _fill(connection: Connection, quoted: bytes, blocks: list[Block]) -> None:
    feed = connection.feed(b"INSERT INTO " + quoted, "Native")
    try:
        for block in blocks:
            if block.rows:
                feed.append(block.body)
        feed.end()
    finally:
        feed.cancel()
