"""Names and types of columns, from the engine."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from embedded.connection import Connection
from embedded.statement import Insert, tokens

_ONE_LINE = b" SETTINGS print_pretty_type_names = 0, describe_compact_output = 0"

# Columns that an INSERT does not fill: the first two never, the last only if it names them.
_COMPUTED = {"MATERIALIZED", "ALIAS"}
_EPHEMERAL = "EPHEMERAL"


class Column(NamedTuple):
    """A column as in DESCRIBE: `default` is DEFAULT, MATERIALIZED, ALIAS, EPHEMERAL or ''."""

    name: str
    kind: str
    default: str
    expression: str

    @property
    def quoted(self) -> bytes:
        """Its name as SQL."""
        escaped = self.name.replace("\\", "\\\\").replace("`", "\\`")
        return b"`" + escaped.encode("utf-8", "surrogateescape") + b"`"

    @property
    def definition(self) -> bytes:
        """The column as in CREATE TABLE."""
        rest = f"{self.kind} {self.default} {self.expression}"
        return self.quoted + b" " + rest.encode("utf-8", "surrogateescape")


def of_query(connection: Connection, sql: bytes) -> list[Column]:
    """Columns of a SELECT's result.

    Raises:
        ServerError: The engine refuses the query.
    """
    return _describe(connection, b"(" + sql + b"\n)")


def of_target(connection: Connection, insert: Insert) -> list[Column]:
    """All columns of the table or table function that an INSERT goes into.

    Raises:
        ServerError: There is no such table.
    """
    target = insert.target
    return _describe(connection, target[9:] if target[:9].upper() == b"FUNCTION " else target)


def stored(columns: Sequence[Column]) -> list[Column]:
    """The columns of a table that are stored as given."""
    return [column for column in columns if column.default not in {*_COMPUTED, _EPHEMERAL}]


def taken(connection: Connection, insert: Insert, columns: Sequence[Column]) -> list[Column]:
    """The columns that an INSERT's rows have, in their order.

    Args:
        connection: Used if they are given as an expression.
        insert: The statement.
        columns: All columns of its target.

    Raises:
        ServerError: The expression is wrong.
    """
    listed = insert.columns
    if listed is None:
        return stored(columns)
    if b"*" in listed or b"(" in listed:
        source = b"SELECT " + listed + b" FROM " + insert.target
        return of_query(connection, source)
    known = {column.name: column for column in columns}
    return [known[name] for name in _names(listed) if name in known]


def _describe(connection: Connection, source: bytes) -> list[Column]:
    described = connection.run(b"DESCRIBE TABLE " + source + _ONE_LINE, "JSONCompactEachRow")
    return [Column(*json.loads(line)[:4]) for line in described.body.splitlines()]


def _names(listed: bytes) -> list[str]:
    names = [""]
    for token in tokens(listed):
        if token.word == b",":
            names.append("")
            continue
        text = listed[token.start : token.end].decode("utf-8", "surrogateescape")
        names[-1] += text[1:-1].replace("\\`", "`") if token.kind == "quoted" else text
    return names
