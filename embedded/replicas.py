"""What another server asks before it sends a query here: is the table there, is it up to date?"""

from collections.abc import Iterable

from embedded.engine import Engine
from embedded.packets import TableStatus
from embedded.statement import quote

_STATUS = (
    b"SELECT if(r.table = '', -1, toInt64(r.absolute_delay)) FROM system.tables AS t "
    b"LEFT JOIN system.replicas AS r ON r.database = t.database AND r.table = t.name "
    b"WHERE t.database = %b AND t.name = %b"
)


def status(engine: Engine, asked: Iterable[tuple[str, str]]) -> list[TableStatus]:
    """The tables that exist, of the databases and tables asked for, and their replicas' delay.

    Raises:
        ServerError: The engine refuses to say.
    """
    return [
        TableStatus(database, table, None if delay == "-1" else int(delay))
        for database, table in asked
        for delay in engine.ask(_STATUS % (quote(database), quote(table)))
    ]
