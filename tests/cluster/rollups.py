"""Compares rollups with the rows that they count."""

from collections import Counter

_ROWS = (
    "SELECT WorkspaceId, toStartOfHour(Timestamp, 'UTC') AS Hour, count() FROM otel_logs "
    "WHERE WorkspaceId IN %(workspaces)s GROUP BY WorkspaceId, Hour"
)
_ROLLED_UP = (
    "SELECT WorkspaceId, Start, sum(arraySum(Counts.Records)) FROM otel_logs_rollup FINAL "
    "WHERE WorkspaceId IN %(workspaces)s AND Width = 3600 GROUP BY WorkspaceId, Start"
)


def equal_counts(system, load):
    """Whether each hour's rollup counts what is stored of a load."""
    rows, rolled_up = (_counts(system, query, load) for query in (_ROWS, _ROLLED_UP))
    assert rows
    return rows == rolled_up


def _counts(system, query, load):
    workspaces = tuple({workspace for workspace, _ in load.tenants})
    found = system.clickhouse.query(query, {"workspaces": workspaces})
    # A rollup of an hour that has no rows any more counts none.
    return +Counter({(workspace, hour.timestamp()): count for workspace, hour, count in found})
