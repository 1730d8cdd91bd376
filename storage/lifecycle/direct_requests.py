"""Requests that doors inserted directly while the broker was away.

They are stored in ClickHouse so that they survive the door until the ledger knows them.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from storage.clickhouse.client import Clickhouse

_MOST = 200_000
"""Maximum of requests returned; adding that many to the ledger takes some seconds."""

_COLUMNS = "RequestId, Records, toUnixTimestamp64Milli(StoredAt), Body"
_LIMITS = {"max_execution_time": 10}


class DirectRequest(msgspec.Struct, frozen=True):
    """A request that a door inserted itself."""

    id: str
    """Also its chunk's id."""
    records: int
    at: float
    """When it was stored, in Unix seconds."""
    body: str = ""
    """Digest of its body, if it is identified by an `Idempotency-Key`."""


class DirectRequests:
    """The table `direct_requests`. Its methods raise StorageError."""

    def __init__(self, clickhouse: Clickhouse) -> None:
        """Use the table in `clickhouse`."""
        self._clickhouse = clickhouse

    def add(self, requests: Sequence[DirectRequest]) -> None:
        """Add requests; their rows must already be in ClickHouse."""
        rows = [
            (each.id, each.body, each.records, datetime.fromtimestamp(each.at, UTC), _low(each.id))
            for each in requests
        ]
        self._clickhouse.insert(
            "INSERT INTO direct_requests (RequestId, Body, Records, StoredAt, ChunkId) VALUES",
            rows,
        )

    def known(self, request_ids: Sequence[str], since: float) -> list[DirectRequest]:
        """The requests among these that were stored at `since` (Unix s) or later."""
        params = {"chunks": tuple(map(_low, request_ids)), "ids": tuple(request_ids)}
        return self._select("ChunkId IN %(chunks)s AND RequestId IN %(ids)s", params, since)

    def newest(self, since: float) -> list[DirectRequest]:
        """The newest requests stored at `since` (Unix s) or later, at most 200,000."""
        return self._select("1", {}, since)

    def _select(
        self, where: str, params: Mapping[str, object], since: float
    ) -> list[DirectRequest]:
        rows = self._clickhouse.query_complete(
            "direct_requests",
            f"SELECT {_COLUMNS} FROM {{table}} "  # noqa: S608 - columns and conditions of our own
            f"WHERE {where} AND StoredAt >= fromUnixTimestamp64Milli(%(since)s) "
            "ORDER BY StoredAt DESC LIMIT %(most)s",
            {**params, "since": max(0, int(since * 1000)), "most": _MOST},
            _LIMITS,
        )
        rows = sorted(rows, key=lambda row: row[2], reverse=True)[:_MOST]
        return [DirectRequest(id_, records, ms / 1000, body) for id_, records, ms, body in rows]


def _low(request_id: str) -> int:
    """The `ChunkId` of its rows."""
    return int(request_id[16:], 16)
