"""Retention of the audit log: months of entries that have all expired."""

import datetime as dt

from storage.clickhouse.client import Clickhouse

TABLE = "audit"

_MONTHS = 12


def expired_months(clickhouse: Clickhouse, kept_days: int, today: dt.date) -> list[str]:
    """Ids of the partitions whose entries are all older than `kept_days`; 0: none.

    Raises:
        StorageError: ClickHouse is away.
    """
    if not kept_days:
        return []
    rows = clickhouse.query(f"SELECT DISTINCT _partition_id FROM {TABLE}")  # noqa: S608 - constant
    months = sorted(str(month) for (month,) in rows)
    return [month for month in months if (today - _end(month)).days >= kept_days]


def _end(month: str) -> dt.date:
    """The day after a month; its partition is named after it, as in 202611."""
    number = int(month[:4]) * _MONTHS + int(month[4:])
    return dt.date(number // _MONTHS, number % _MONTHS + 1, 1)
