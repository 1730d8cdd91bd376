"""What usage says, for tests that compare it with what is stored."""

import datetime as dt
from collections import Counter

from ledger.usage import UsageCounters
from storage.lifecycle.usage import STORED


def used(broker, clickhouse, workspace_id=""):
    """All usage: (requests, records, bytes) by workspace, client, signal and outcome."""
    today = dt.datetime.now(dt.UTC).date()
    # A test may run through midnight.
    first, last = today - dt.timedelta(days=399), today + dt.timedelta(days=1)
    rows = UsageCounters(broker).read(clickhouse, workspace_id, first, last)
    totals = {}
    for each in rows:
        about = (each.workspace_id, each.client_id, each.signal, each.outcome)
        sums = totals.get(about, (0, 0, 0))
        measures = (each.requests, each.records, each.bytes)
        totals[about] = tuple(map(sum, zip(sums, measures, strict=True)))
    return totals


def of_entries(entries):
    """The usage of ledger entries that are all stored once."""
    records, sizes = Counter(), Counter()
    for each in entries:
        header = each.chunk.header
        about = (header.workspace_id, header.client_id, header.signal, STORED)
        records[about] += header.records
        sizes[about] += header.bytes
    return {about: (0, count, sizes[about]) for about, count in records.items()}
