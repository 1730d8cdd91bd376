"""What each tenant sent, day by day: stored, or refused and why.

Rows have ids. Of several rows with the same id, tenant, day, signal and outcome, one counts. A row
can therefore be written again after an insert of unknown outcome.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from storage.clickhouse.client import Clickhouse

STORED = "stored"
"""The outcome of what was stored; other outcomes are reasons of refusals."""

_COLUMNS = "Day, WorkspaceId, ClientId, Signal, Outcome, Id, Requests, Records, Bytes"


@dataclass(frozen=True, slots=True)
class Usage:
    """What a tenant sent of a signal on a day.

    Attributes:
        day: in UTC, when it was stored or refused.
        workspace_id: the tenant's workspace.
        client_id: the tenant's client; empty: of all clients together.
        signal: `logs`, `traces` or `metrics`.
        outcome: :data:`STORED`, or why it was refused.
        requests: refused requests.
        records: log records, spans or data points.
        bytes: uncompressed OTLP bytes.
    """

    day: dt.date
    workspace_id: str
    client_id: str
    signal: str
    outcome: str
    requests: int
    records: int
    bytes: int


def record(clickhouse: Clickhouse, rows: Iterable[tuple[str, Usage]]) -> None:
    """Write rows, each with its id. Safe to repeat.

    Raises:
        StorageError: some may not be written.
    """
    values = [
        (
            each.day,
            each.workspace_id,
            each.client_id,
            each.signal,
            each.outcome,
            row_id,
            each.requests,
            each.records,
            each.bytes,
        )
        for row_id, each in rows
    ]
    if values:
        clickhouse.insert(f"INSERT INTO usage ({_COLUMNS}) VALUES", values)


def recorded(
    clickhouse: Clickhouse,
    workspace_id: str,
    first: dt.date,
    last: dt.date,
    without: Sequence[str] = (),
) -> Sequence[Usage]:
    """Usage of a workspace, or of all (empty), on these days, without the rows of some ids.

    Raises:
        StorageError: ClickHouse is away.
    """
    condition = "AND WorkspaceId = %(workspace)s" if workspace_id else ""
    rows = clickhouse.query(
        "SELECT Day, WorkspaceId, ClientId, Signal, Outcome, "  # noqa: S608 - bound
        "sum(Requests), sum(Records), sum(Bytes) FROM usage FINAL "
        f"WHERE Day >= %(first)s AND Day <= %(last)s AND Id NOT IN %(without)s {condition} "
        "GROUP BY Day, WorkspaceId, ClientId, Signal, Outcome ORDER BY ALL",
        {
            "workspace": workspace_id,
            "first": first,
            "last": last,
            "without": tuple(without) or ("",),
        },
    )
    return [Usage(*row) for row in rows]
