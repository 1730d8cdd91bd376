"""What must be known about a statement before the engine runs it.

The engine parses SQL; this module only finds the words that decide which of chDB's functions to
call: where an INSERT's data begin and in which format, a FORMAT clause, which does not apply to
native clients, KILL QUERY, and the name `system.processes`. Statements are bytes, as in ClickHouse:
an INSERT may end in data of any encoding.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

from embedded.errors import Code, ServerError

StatementKind = Literal["select", "insert", "kill", "session", "temporary", "change", "other"]
"""A `change` writes a definition or a mutation, without which the engine cannot load a table."""

_TOKEN = re.compile(
    rb"""
    (?P<space>  \s+ | --[^\n]* | \#[!\ ][^\n]* | /\*.*?(?:\*/|\Z) )
  | (?P<string> '(?:[^'\\]|\\.|'')*' | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
  | (?P<quoted> `(?:[^`\\]|\\.|``)*` | "(?:[^"\\]|\\.|"")*" )
  | (?P<word>   [A-Za-z_$][A-Za-z0-9_$]* )
  | (?P<number> [0-9][A-Za-z0-9_.]* )
  | (?P<sign>   . )
    """,
    re.DOTALL | re.VERBOSE,
)
_BEFORE_DATA = re.compile(rb"[ \t\r\f\v]*\n?")


class Token(NamedTuple):
    """A piece of SQL: `word` is upper-cased for bare words, else the text itself."""

    kind: str
    word: bytes
    start: int
    end: int
    depth: int


@dataclass(frozen=True)
class Insert:
    """An INSERT whose rows come with it or after it.

    Attributes:
        settings: The SETTINGS clause, empty without one.
        target: What follows INTO: the table's name, or `FUNCTION f(...)`.
        columns: The text in parentheses after the table, or None without them.
        format: ClickHouse's name for the format of the rows.
        data: Index of the first byte of the rows in the statement.
    """

    settings: bytes
    target: bytes
    columns: bytes | None
    format: str
    data: int


@dataclass(frozen=True)
class Kill:
    """KILL QUERY WHERE `condition`, and whether to wait for the end (SYNC) or only list (TEST)."""

    condition: bytes
    mode: Literal["SYNC", "ASYNC", "TEST"]


def tokens(sql: bytes, start: int = 0) -> Iterator[Token]:
    """Cut SQL into tokens, without white space and comments, lazily."""
    depth = 0
    while found := _TOKEN.match(sql, start):
        kind, start = str(found.lastgroup), found.end()
        if kind == "tag":
            kind = "string"
        if kind == "space":
            continue
        text = found[0]
        if text == b")":
            depth -= 1
        yield Token(kind, text.upper() if kind == "word" else text, found.start(), start, depth)
        if text == b"(":
            depth += 1


def kind_of(sql: bytes) -> StatementKind:  # noqa: PLR0911 - one for each kind
    """The kind of a statement, by its first words."""
    words = tokens(sql)
    first = next(words, None)
    if first is None:
        raise ServerError(Code.SYNTAX_ERROR, "Empty query")
    second = next(words, first).word
    match first.word:
        case b"SELECT" | b"WITH" | b"FROM" | b"(":
            return "select"
        case b"INSERT":
            return "insert"
        case b"KILL" if second == b"QUERY":
            return "kill"
        case b"SET" | b"USE":
            return "session"
        case b"CREATE" if second in {b"TEMPORARY", b"OR"} and b"temporary" in sql[:99].lower():
            return "temporary"
        case b"ALTER" | b"CREATE" | b"DELETE" | b"RESTORE" | b"UPDATE" if not _drops_partition(sql):
            return "change"
    return "other"


def _drops_partition(sql: bytes) -> bool:
    """Whether it is `ALTER ... DROP PARTITION`, which frees space."""
    pairs = pairwise(token.word for token in tokens(sql))
    return (b"DROP", b"PARTITION") in pairs


def single(sql: bytes) -> bytes:
    """Remove a closing semicolon; refuse a second statement after it, as ClickHouse does."""
    if b";" not in sql:
        return sql
    words = tokens(sql)
    for token in words:
        if token.word == b";":
            if any(rest.word != b";" for rest in words):
                raise ServerError(
                    Code.SYNTAX_ERROR,
                    f"Syntax error (Multi-statements are not allowed): failed at position "
                    f"{token.start + 1} (end of query)",
                )
            return sql[: token.start]
    return sql


def insert_of(sql: bytes) -> Insert | None:
    """Find where an INSERT's rows begin; None if they come from a SELECT or a file."""
    before: list[Token] = []
    words = tokens(sql)
    for token in words:
        if token.depth == 0 and token.word in {b"SELECT", b"WITH", b"FROM", b"WATCH"}:
            return None
        if token.depth == 0 and token.word == b"VALUES" and len(before) > 1:
            return _insert(sql, before, token.start, "Values", token.end)
        if token.depth == 0 and token.word == b"FORMAT" and len(before) > 1:
            name = next(words, None)
            if name is None or name.kind != "word":
                return None
            data = _BEFORE_DATA.match(sql, name.end)
            text = sql[name.start : name.end].decode()
            return _insert(sql, before, token.start, text, data.end() if data else name.end)
        before.append(token)
    return None


def _insert(sql: bytes, before: list[Token], end: int, name: str, data: int) -> Insert:
    body = before[1:]
    for word in (b"INTO", b"TABLE"):
        body = body[1:] if len(body) > 1 and body[0].word == word else body
    settings = next((t.start for t in body if t.depth == 0 and t.word == b"SETTINGS"), end)
    body = [token for token in body if token.start < settings]
    if not body:
        raise ServerError(Code.SYNTAX_ERROR, "Syntax error: INSERT names no table")
    opening = [token for token in body if token.depth == 0 and token.word == b"("]
    function = body[0].word == b"FUNCTION"
    listed = opening[1:] if function else opening
    stop = listed[0].start if listed else body[-1].end
    columns = sql[listed[0].end : body[-1].start] if listed else None
    return Insert(sql[settings:end].strip(), sql[body[0].start : stop].strip(), columns, name, data)


def without_format(sql: bytes) -> tuple[bytes, str | None]:
    """Remove the FORMAT clause from a query.

    Returns:
        The query without it, and the format's name, or None if there was no such clause.
    """
    if b"format" not in sql.lower():
        return sql, None
    found = list(tokens(sql))
    for at in range(len(found) - 1, 0, -1):
        clause, name = found[at - 1], found[at]
        if clause.word != b"FORMAT" or clause.depth or name.kind != "word" or at == 1:
            continue
        if at + 1 == len(found) or found[at + 1].word in {b"SETTINGS", b"INTO", b";"}:
            text = sql[name.start : name.end].decode()
            return sql[: clause.start] + b" " + sql[name.end :], text
    return sql, None


def kill_of(sql: bytes) -> Kill:
    """Read `KILL QUERY WHERE condition [SYNC|ASYNC|TEST]`; raises a syntax error otherwise."""
    sql, _ = without_format(sql)
    found = list(tokens(sql))
    where = next((token for token in found if token.word == b"WHERE"), None)
    if where is None or where is found[-1]:
        raise ServerError(Code.SYNTAX_ERROR, "Syntax error: KILL QUERY needs WHERE and a condition")
    last = found[-1]
    modes: dict[bytes, Literal["SYNC", "ASYNC", "TEST"]]
    modes = {b"SYNC": "SYNC", b"ASYNC": "ASYNC", b"TEST": "TEST"}
    mode = modes.get(last.word)
    condition = sql[where.end : last.start if mode else last.end]
    return Kill(condition.strip(), mode or "ASYNC")


def replace_processes(sql: bytes, table: bytes) -> bytes:
    """Replace every `system.processes` outside of strings by a subquery."""
    if b"processes" not in sql.lower():
        return sql
    pieces, done = [], 0
    window: list[Token] = []
    for token in tokens(sql):
        window = [*window[-2:], token]
        if [t.word.strip(b'`"').upper() for t in window] == [b"SYSTEM", b".", b"PROCESSES"]:
            pieces += [sql[done : window[0].start], table]
            done = token.end
    return b"".join((*pieces, sql[done:]))


def refuse_outfile(sql: bytes) -> None:
    """Refuse INTO OUTFILE: it is meant for clients, and the engine would write a file here."""
    if b"outfile" not in sql.lower():
        return
    before = b""
    for token in tokens(sql):
        if token.word == b"OUTFILE" and before == b"INTO":
            raise ServerError(Code.NOT_IMPLEMENTED, "INTO OUTFILE is not allowed")
        before = token.word


def time_limit(sql: bytes) -> float | None:
    """Seconds from `max_execution_time = n` in SET or in a SETTINGS clause, None without it."""
    if b"max_execution_time" not in sql:
        return None
    limit: float | None = None
    window: list[Token] = []
    for token in tokens(sql):
        window = [*window[-2:], token]
        if len(window) == 3 and window[0].word == b"MAX_EXECUTION_TIME" and window[1].word == b"=":  # noqa: PLR2004 - name, sign, value
            limit = seconds(token.word.strip(b"'").decode())
    return limit


def seconds(text: str) -> float:
    """Read a setting's value as seconds; 0, which means no limit, if it is not a number."""
    try:
        return float(text)
    except ValueError:
        return 0.0


def quote(text: str) -> bytes:
    """Write a value as a ClickHouse string literal."""
    escaped = text.encode("utf-8", "surrogateescape").replace(b"\\", rb"\\").replace(b"'", rb"\'")
    return b"'" + escaped + b"'"
