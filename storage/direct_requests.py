"""Requests that doors stored while the broker was away, until the ledger is told of them.

What a door remembers dies with it; this is where it, or another one, finds it again.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from storage.client import Clickhouse

_MOST = 200_000
"""The newest so many are found again: telling the ledger of them takes some seconds."""

_COLUMNS = "RequestId, Records, toUnixTimestamp64Milli(StoredAt), Body"
# Behind a Distributed table, return when the shard has them.
_AT_ONCE = {"insert_distributed_sync": 1}
_LIMITS = {"max_execution_time": 10, "select_sequential_consistency": 1}


class DirectRequest(msgspec.Struct, frozen=True):
    """A request that a door stored itself."""

    id: str
    """Its chunk's id as well."""
    records: int
    at: float
    """Unix seconds."""
    body: str = ""
    """Digest of its body, if an `Idempotency-Key` is its identity."""


class DirectRequests:
    """The table of them. Its methods raise StorageError."""

    def __init__(self, clickhouse: Clickhouse) -> None:
        """Keep them behind `clickhouse`."""
        self._clickhouse = clickhouse

    def add(self, requests: Sequence[DirectRequest]) -> None:
        """Note requests whose rows are in ClickHouse."""
        rows = [
            (each.id, each.body, each.records, datetime.fromtimestamp(each.at, UTC), _low(each.id))
            for each in requests
        ]
        self._clickhouse.insert(
            "INSERT INTO direct_requests (RequestId, Body, Records, StoredAt, ChunkId) VALUES",
            rows,
            _AT_ONCE,
        )

    def known(self, request_ids: Sequence[str], since: float) -> list[DirectRequest]:
        """Those of the requests that were stored at `since` (Unix s) or later."""
        params = {"chunks": tuple(map(_low, request_ids)), "ids": tuple(request_ids)}
        return self._select("ChunkId IN %(chunks)s AND RequestId IN %(ids)s", params, since)

    def newest(self, since: float) -> list[DirectRequest]:
        """All that were stored at `since` (Unix s) or later, the newest of very many."""
        return self._select("1", {}, since)

    def _select(
        self, where: str, params: Mapping[str, object], since: float
    ) -> list[DirectRequest]:
        rows = self._clickhouse.query(
            f"SELECT {_COLUMNS} FROM direct_requests "  # noqa: S608 - columns and conditions of our own
            f"WHERE {where} AND StoredAt >= fromUnixTimestamp64Milli(%(since)s) "
            "ORDER BY StoredAt DESC LIMIT %(most)s",
            {**params, "since": max(0, int(since * 1000)), "most": _MOST},
            _LIMITS,
        )
        return [DirectRequest(id_, records, ms / 1000, body) for id_, records, ms, body in rows]


def _low(request_id: str) -> int:
    """The `ChunkId` of its rows."""
    return int(request_id[16:], 16)
