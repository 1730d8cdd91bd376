"""Dead letters that moved from the broker to ClickHouse, because the broker has a limit for them.

The table `dead_letters` keeps versions: a copy, and later perhaps the note that it is gone. The
note has a higher version, so it holds even if it arrives first.
"""

from base64 import b64decode, b64encode
from collections.abc import Collection, Iterable, Sequence

from ledger.chunk import Chunk, pack_header, unpack, unpack_header
from ledger.dead_letters.kept import DeadLetter, Place
from storage.clickhouse.client import Clickhouse, Row

_INSERT = "INSERT INTO dead_letters (Id, Version, Gone, DeadMs, Header, Payload, Reason) VALUES"
_TABLE = "dead_letters"


class SpilledLetters:
    """The table `dead_letters`. Its methods raise StorageError."""

    def __init__(self, clickhouse: Clickhouse) -> None:
        """Use the table in `clickhouse`."""
        self._clickhouse = clickhouse

    def add(self, letters: Iterable[tuple[DeadLetter, Chunk]]) -> None:
        """Copy dead letters; safe to repeat."""
        rows: list[Row] = []
        for letter, chunk in letters:
            payload = b64encode(chunk.payload).decode()
            header = pack_header(letter.header).decode()
            version = 2 * letter.dead_ms
            rows.append((letter.id, version, 0, letter.dead_ms, header, payload, letter.reason))
        self._clickhouse.insert(_INSERT, rows)

    def note_gone(self, copies: Collection[Place]) -> None:
        """Note that these copies no longer count; safe to repeat."""
        rows = [(copy.id, 2 * copy.dead_ms + 1, 1, copy.dead_ms, "", "", "") for copy in copies]
        self._clickhouse.insert(_INSERT, rows)

    def newest(self, latest_ms: int | None, most: int) -> list[DeadLetter]:
        """The newest that became dead letters at `latest_ms` or before; None: any time."""
        rows = self._select(
            "DeadMs <= %(latest)s ORDER BY DeadMs DESC, Id DESC LIMIT %(most)s",
            {"latest": 2**63 if latest_ms is None else latest_ms, "most": most},
        )
        rows = sorted(rows, key=lambda row: (row[1], row[3]), reverse=True)[:most]
        return [_letter(header, dead_ms, reason) for header, dead_ms, reason, _ in rows]

    def some(self, ids: Sequence[str]) -> list[DeadLetter]:
        """Those with these ids."""
        rows = self._select("Id IN %(ids)s", {"ids": tuple(ids)}) if ids else []
        return [_letter(header, dead_ms, reason) for header, dead_ms, reason, _ in rows]

    def chunks(self, ids: Sequence[str]) -> list[Chunk]:
        """The chunks with these ids."""
        rows = self._clickhouse.query_complete(
            _TABLE,
            "SELECT Header, Payload FROM {table} FINAL WHERE Gone = 0 AND Id IN %(ids)s",
            {"ids": tuple(ids)},
        )
        return [unpack(header.encode(), b64decode(payload), 1) for header, payload in rows]

    def count(self) -> int:
        """How many there are."""
        rows = self._clickhouse.query_complete(
            _TABLE, "SELECT count() FROM {table} FINAL WHERE Gone = 0"
        )
        return sum(int(count) for (count,) in rows)

    def _select(self, where: str, params: dict[str, object]) -> list[Row]:
        return self._clickhouse.query_complete(
            _TABLE,
            f"SELECT Header, DeadMs, Reason, Id FROM {{table}} FINAL WHERE Gone = 0 AND {where}",  # noqa: S608 - bound
            params,
        )


def _letter(header: str, dead_ms: int, reason: str) -> DeadLetter:
    return DeadLetter(unpack_header(header.encode()), dead_ms / 1000, reason, spilled=True)
