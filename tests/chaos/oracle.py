"""What was acknowledged against what is stored: two multisets of whole records."""

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
    redelivered: int
    longest: float
    """Seconds between the answer and the row, at most; below zero if the row came first."""
    dead: int

    def __str__(self):
        return (
            f"chaos {self.scenario}: seed={self.seed} accepted={self.accepted} "
            f"stored={self.stored} lost={len(self.lost)} doubled={len(self.doubled)} "
            f"foreign={len(self.foreign)} redelivered={self.redelivered} dead={self.dead} "
            f"longest={self.longest:.1f}s"
        )

    def check(self):
        """Fail unless each acknowledged record is stored once, and nothing else is."""
        for kind in ("lost", "doubled", "foreign"):
            assert not getattr(self, kind), f"{self}; {kind}: {getattr(self, kind)[:5]}"
        assert self.accepted > 0, f"{self}: nothing was accepted, so nothing was tested"


def judge(system, scenario, seed, load, attempts_before=0):
    """Compare; call it when the ledger is drained."""
    sent = {body: row for request in load.requests for body, row in request.records.items()}
    acknowledged = {
        body for request in load.requests if request.acknowledged for body in request.records
    }
    stored = stored_rows(system, load)
    counts = Counter(body for body, _ in stored)
    right = {body for body, row in stored if sent.get(body) == row}
    stats = system.ledger.waiting.stats()
    return Verdict(
        scenario=scenario,
        seed=seed,
        accepted=len(acknowledged),
        stored=len(stored),
        lost=sorted(acknowledged - right),
        doubled=sorted(body for body, count in counts.items() if count > 1),
        foreign=sorted(body for body, row in stored if sent.get(body) != row),
        redelivered=further_attempts(system) - attempts_before,
        longest=longest_wait(system, load),
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


def longest_wait(system, load):
    """Seconds from a request's answer to the time on its receipt, the longest of all requests."""
    receipts = {}
    for request in load.requests:
        if request.acknowledged and request.receipt:
            known = receipts.get(request.receipt, request.acknowledged)
            receipts[request.receipt] = min(known, request.acknowledged)
    longest = 0.0
    for receipt, acknowledged in receipts.items():
        for state in system.ledger.receipts.of(receipt):
            if state and state.state == "stored":
                longest = max(longest, state.at - acknowledged)
    return longest
