"""An INSERT whose rows arrive piece by piece, with a reliable result.

The rows are first parsed into a temporary table in memory. Once all have arrived, one INSERT SELECT
moves them, as the same blocks, into their table. So an insert that is cut off or stopped stores
nothing, however large it is, and the table's errors are reported, which chDB's own streaming insert
does not do. Moving is cheap, because both tables share the columns in memory.
"""

from collections.abc import Callable
from typing import Self

from embedded import columns
from embedded.connection import Connection, Result
from embedded.errors import Code, ServerError
from embedded.statement import Insert

_STAGE = b"`.sheaf.stage`"


class Insertion:
    """Rows being inserted: append them, then commit. Leaving the block before that cancels.

    Args:
        connection: Where the statement runs.
        insert: The statement.
        form: ClickHouse format of the rows.
        check_writes: Called before it is told whether the rows are stored.

    Attributes:
        columns: The columns that the rows have.

    Raises:
        ServerError: There is no such table or setting.
    """

    def __init__(
        self,
        connection: Connection,
        insert: Insert,
        form: str,
        check_writes: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._check_writes = check_writes
        self._insert = insert
        self._all = columns.of_target(connection, insert)
        self.columns = columns.taken(connection, insert, self._all)
        defined = b", ".join(column.definition for column in self._all)
        connection.run(
            b"CREATE TEMPORARY TABLE " + _STAGE + b" (" + defined + b") ENGINE = Memory", "Null"
        )
        listed = b"" if insert.columns is None else b" (" + insert.columns + b")"
        head = b" ".join((b"INSERT INTO", _STAGE + listed, insert.settings))
        try:
            self._feed = connection.feed(head, form)
        except ServerError:
            self._drop()
            raise

    def append(self, piece: bytes) -> None:
        """Parse more bytes; waits while the engine is busy.

        Raises:
            ServerError: The bytes are invalid, or the insert was stopped.
        """
        self._feed.append(piece)

    def commit(self, check: Callable[[], None]) -> Result:
        """Store all the rows.

        Args:
            check: Raises if the insert was asked to stop; called when all rows are parsed.

        Raises:
            ServerError: The rows are wrong, the table refuses them, or the insert was stopped.
                Then nothing is stored, unless the rows are in several partitions or are more than
                one block.
        """
        parsed = self._feed.end()
        check()
        count = self._connection.run(b"SELECT count() FROM " + _STAGE, "TSV")
        if int(count.body) != parsed:
            raise ServerError(
                Code.STD_EXCEPTION, f"Of {parsed} rows only {int(count.body)} fit into memory"
            )
        listed = b", ".join(column.quoted for column in columns.stored(self._all))
        target = b" ".join((b"INSERT INTO", self._insert.target, b"(" + listed + b")"))
        moving = b" ".join((target, self._insert.settings, b"SELECT", listed, b"FROM", _STAGE))
        try:
            return self._connection.run(moving, "Null")
        finally:
            # An error that comes from such a write says nothing about the rows.
            self._check_writes()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._feed.cancel()
        self._drop()

    def _drop(self) -> None:
        self._connection.run(b"DROP TEMPORARY TABLE IF EXISTS " + _STAGE, "Null")
