"""Compares what was acknowledged with what is stored, and with what receipts say.

It compares two multisets of whole records. A record without a time must be stored at least once
for each answer, and at most once for each time it was sent. Usage must have as many records as are
stored; those of a request that was never acknowledged may be left out.
"""

import datetime as dt
from collections import Counter
from dataclasses import dataclass

from ledger.ledger import BrokerError
from ledger.usage import usage_counters
from storage.lifecycle.usage import STORED


@dataclass
class Verdict:
    """What became of a scenario's records."""

    scenario: str
    seed: int
    accepted: int
    """Records of acknowledged requests."""
    stored: int
    lost: list
    """Bodies that were acknowledged and are not stored as they were sent."""
    doubled: list
    """Bodies that are stored more than once, acknowledged or not."""
    foreign: list
    """Bodies of rows that no client sent, or that differ from what was sent."""
    untrue: list
    """Receipts of acknowledged requests that do not say what is stored."""
    miscounted: list
    """Tenants, with their records by usage, and the fewest and the most that it should have."""
    redelivered: int
    """Batches that were leased more than once."""
    longest: float
    """Longest time between an answer and its rows, in seconds; negative if the rows came first."""
    dead: int
    """Chunks that are dead letters."""

    def __str__(self):
        return (
            f"chaos {self.scenario}: seed={self.seed} accepted={self.accepted} "
            f"stored={self.stored} lost={len(self.lost)} doubled={len(self.doubled)} "
            f"foreign={len(self.foreign)} untrue={len(self.untrue)} "
            f"miscounted={len(self.miscounted)} "
            f"redelivered={self.redelivered} dead={self.dead} "
            f"longest={self.longest:.1f}s"
        )

    def check(self):
        """Fail unless each acknowledged record is stored once, and nothing else is."""
        for kind in ("lost", "doubled", "foreign", "untrue", "miscounted"):
            found = getattr(self, kind)
            assert not found, f"{self}; {kind}: {found[:5]}"
        assert self.accepted > 0, f"{self}: no record was acknowledged, so nothing was tested"


def judge(system, scenario, seed, load, attempts_before=0):
    """Compare what a load sent with the table; call it when the ledger is drained."""
    sent, receipts = {}, set()
    least, most = Counter(), Counter()
    for request in load.requests:
        sent |= request.records
        receipts |= request.receipts
        answers = request.answers if request.timeless else bool(request.acknowledged)
        sends = request.sends if request.timeless else 1
        least.update(dict.fromkeys(request.records, answers))
        most.update(dict.fromkeys(request.records, sends))

    stored = stored_rows(system, load)
    counts = Counter(body for body, _ in stored)
    unchanged = Counter(body for body, row in stored if sent.get(body) == row)
    statuses = {receipt: system.ledger.receipts.status(receipt) for receipt in receipts}

    return Verdict(
        scenario=scenario,
        seed=seed,
        accepted=sum(1 for count in least.values() if count),
        stored=len(stored),
        lost=sorted(least - unchanged),
        doubled=sorted(counts - most),
        foreign=sorted(body for body, row in stored if sent.get(body) != row),
        untrue=sorted(untrue_receipts(load, unchanged, statuses)),
        miscounted=sorted(miscounted(system, load, stored)),
        redelivered=further_attempts(system) - attempts_before,
        longest=longest_wait(load, statuses),
        dead=system.ledger.waiting.stats().dead_chunks,
    )


def stored_rows(system, load):
    """All rows of the load's workspaces, as `(body, (workspace, client, attributes))`."""
    workspaces = {workspace for workspace, _ in load.tenants}
    rows = system.clickhouse.query(
        load.signal.select,
        {"workspaces": tuple(workspaces)},
        {"max_execution_time": 60},
    )
    return [(body, (workspace, client, attributes)) for body, workspace, client, attributes in rows]


def miscounted(system, load, stored):
    """Tenants whose usage is not what is stored of them."""
    acknowledged = {
        body for request in load.requests if request.acknowledged for body in request.records
    }
    most, least = Counter(), Counter()
    for body, (workspace, client, _) in stored:
        most[workspace, client] += 1
        least[workspace, client] += body in acknowledged

    today = dt.datetime.now(dt.UTC).date()
    days = today - dt.timedelta(days=1), today + dt.timedelta(days=1)
    used = Counter()
    for each in usage_counters(system.ledger).read(system.clickhouse, "", *days):
        if each.outcome == STORED:
            used[each.workspace_id, each.client_id] += each.records
    for tenant in load.tenants:
        if not least[tenant] <= used[tenant] <= most[tenant]:
            yield tenant, used[tenant], least[tenant], most[tenant]


def further_attempts(system):
    """How many batches were leased more than once since the ledger was created."""
    try:
        return system.ledger.waiting.stats().totals.get("further_attempts", 0)
    except BrokerError:
        return 0


def untrue_receipts(load, unchanged, statuses):
    """Receipts that are unknown, or say `stored` where something is missing, or the reverse."""
    for request in load.requests:
        stored = []
        for receipt in request.receipts:
            status = statuses[receipt]
            if status is None:
                yield receipt
            elif status.state == "stored":
                stored.append(receipt)

        if not all(body in unchanged for body in request.records):
            yield from stored
        elif not stored:
            yield from request.receipts


def longest_wait(load, statuses):
    """The longest time from a request's answer to the time on its receipt, in seconds."""
    longest = 0.0
    for request in load.requests:
        status = statuses.get(request.receipt)
        if request.acknowledged and status and status.state == "stored":
            longest = max(longest, status.at - request.acknowledged)
    return longest
