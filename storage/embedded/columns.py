"""Names and types of columns, asked of the engine."""

import json

from storage.embedded.engine import Connection
from storage.embedded.statement import Insert, tokens

_ONE_LINE = b" SETTINGS print_pretty_type_names = 0, describe_compact_output = 0"

# Columns that an INSERT without a list of columns does not fill.
_COMPUTED = {"MATERIALIZED", "ALIAS", "EPHEMERAL"}

Columns = list[tuple[str, str]]


def of_query(connection: Connection, sql: bytes) -> Columns:
    """Columns of a SELECT's result.

    Raises:
        ServerError: The engine refuses the query.
    """
    return [(name, kind) for name, kind, _ in _describe(connection, b"(" + sql + b"\n)")]


def of_insert(connection: Connection, insert: Insert) -> Columns:
    """Columns that an INSERT takes, in the order in which it names them.

    Raises:
        ServerError: There is no such table.
    """
    target, listed = insert.target, insert.columns
    if target[:9].upper() == b"FUNCTION ":
        target = target[9:]
    if listed is None or listed.strip() == b"*":
        found = _describe(connection, target)
        return [(name, kind) for name, kind, default in found if default not in _COMPUTED]
    if b"EXCEPT" in listed.upper():
        return of_query(connection, b"SELECT " + listed + b" FROM " + target)
    types = {name: kind for name, kind, _ in _describe(connection, target)}
    return [(name, types[name]) for name in _names(listed) if name in types]


def _describe(connection: Connection, what: bytes) -> list[tuple[str, str, str]]:
    described = connection.run(b"DESCRIBE TABLE " + what + _ONE_LINE, "JSONCompactEachRow")
    rows = (json.loads(line) for line in described.body.splitlines())
    return [(row[0], row[1], row[2]) for row in rows]


def _names(listed: bytes) -> list[str]:
    names = [""]
    for token in tokens(listed):
        if token.word == b",":
            names.append("")
            continue
        text = listed[token.start : token.end].decode("utf-8", "surrogateescape")
        names[-1] += text[1:-1].replace("\\`", "`") if token.kind == "quoted" else text
    return names
