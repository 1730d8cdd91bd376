"""What was acknowledged against what is stored, and what receipts say of it.

Records are two multisets of whole records. One that carries no time is there once for each answer
at least, and once for each time it was sent at most.
"""

from collections import Counter
from dataclasses import dataclass

from tasks.ledger import BrokerError


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
    """Rows that nobody sent, or that were changed on the way."""
    untrue: list
    """Receipts of acknowledged requests that say anything but what is stored."""
    redelivered: int
    longest: float
    """Seconds between the answer and the row, at most; below zero if the row came first."""
    dead: int

    def __str__(self):
        return (
            f"chaos {self.scenario}: seed={self.seed} accepted={self.accepted} "
            f"stored={self.stored} lost={len(self.lost)} doubled={len(self.doubled)} "
            f"foreign={len(self.foreign)} untrue={len(self.untrue)} "
            f"redelivered={self.redelivered} dead={self.dead} "
            f"longest={self.longest:.1f}s"
        )

    def check(self):
        """Fail unless each acknowledged record is stored once, and nothing else is."""
        for kind in ("lost", "doubled", "foreign", "untrue"):
            assert not getattr(self, kind), f"{self}; {kind}: {getattr(self, kind)[:5]}"
        assert self.accepted > 0, f"{self}: nothing was accepted, so nothing was tested"


def judge(system, scenario, seed, load, attempts_before=0):
    """Compare; call it when the ledger is drained."""
    sent = {body: row for request in load.requests for body, row in request.records.items()}
    owed = Counter()
    allowed = Counter()
    for request in load.requests:
        answered = request.answers if request.timeless else bool(request.acknowledged)
        owed.update(dict.fromkeys(request.records, answered))
        allowed.update(dict.fromkeys(request.records, request.sends if request.timeless else 1))
    stored = stored_rows(system, load)
    counts = Counter(body for body, _ in stored)
    right = Counter(body for body, row in stored if sent.get(body) == row)
    receipts = {receipt for request in load.requests for receipt in request.receipts}
    told = {receipt: system.ledger.receipts.status(receipt) for receipt in receipts}
    stats = system.ledger.waiting.stats()
    return Verdict(
        scenario=scenario,
        seed=seed,
        accepted=sum(1 for count in owed.values() if count),
        stored=len(stored),
        lost=sorted(owed - right),
        doubled=sorted(counts - allowed),
        foreign=sorted(body for body, row in stored if sent.get(body) != row),
        untrue=sorted(untrue_receipts(load, right, told)),
        redelivered=further_attempts(system) - attempts_before,
        longest=longest_wait(load, told),
        dead=stats.dead_chunks,
    )


def stored_rows(system, load):
    """(body, (workspace, client, attributes)) of all rows of the load's workspaces."""
    rows = system.clickhouse.query(
        load.signal.select,
        {"workspaces": tuple({workspace for workspace, _ in load.tenants})},
        {"max_execution_time": 60},
    )
    return [(body, (workspace, client, attributes)) for body, workspace, client, attributes in rows]


def further_attempts(system):
    """Batches that were leased more than once, since the ledger was made."""
    try:
        return system.ledger.waiting.stats().totals.get("further_attempts", 0)
    except BrokerError:
        return 0


def untrue_receipts(load, right, told):
    """Receipts that are not known, or say `stored` where something is missing, or the reverse."""
    for request in load.requests:
        statuses = {receipt: told[receipt] for receipt in request.receipts}
        yield from (receipt for receipt, status in statuses.items() if status is None)
        stored = {each for each, status in statuses.items() if status and status.state == "stored"}
        if not all(body in right for body in request.records):
            yield from stored
        elif not stored:
            yield from statuses


def longest_wait(load, told):
    """Seconds from a request's answer to the time on its receipt, the longest of all requests."""
    longest = 0.0
    for request in load.requests:
        status = told.get(request.receipt)
        if request.acknowledged and status and status.state == "stored":
            longest = max(longest, status.at - request.acknowledged)
    return longest
