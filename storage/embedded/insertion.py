"""An INSERT whose rows arrive piece by piece, and which says truly whether they are stored.

The rows are first parsed into a temporary table in memory. Only when all of them have come does
one INSERT SELECT move them, as the blocks they are, into the table that they are meant for. So an
insert whose rows are cut off, or that is stopped on the way, stores nothing, however large it is;
and what the table has against the rows is reported, which chDB's own streaming insert does not do.
Moving costs next to nothing: both tables share the same columns in memory.
"""

from collections.abc import Callable
from typing import Self

from storage.embedded import columns
from storage.embedded.connection import Connection, Result
from storage.embedded.errors import Code, ServerError
from storage.embedded.statement import Insert

_STAGE = b"`.sheaf.stage`"


class Insertion:
    """Rows on their way into a table: append them, then commit; leaving uncommitted cancels.

    Args:
        connection: Where the statement runs.
        insert: The statement.
        form: ClickHouse format in which the rows come.

    Attributes:
        columns: The columns that the rows have.

    Raises:
        ServerError: There is no such table or setting.
    """

    def __init__(self, connection: Connection, insert: Insert, form: str) -> None:
        self._connection = connection
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
            ServerError: The bytes are no rows, or the insert was stopped.
        """
        self._feed.append(piece)

    def commit(self, check: Callable[[], None]) -> Result:
        """Store all the rows.

        Args:
            check: Raises if the insert was asked to stop; called when the rows are there.

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
        return self._connection.run(moving, "Null")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._feed.cancel()
        self._drop()

    def _drop(self) -> None:
        self._connection.run(b"DROP TEMPORARY TABLE IF EXISTS " + _STAGE, "Null")
