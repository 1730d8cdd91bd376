"""Which of the broker's keys belong to a backup.

A chunk is in the ledger before its rows are in ClickHouse, and leaves it after. So the ledger is
read first, then ClickHouse's tables: each chunk is in one of them, or in both, and a restored chunk
counts as tried, so that its rows are looked for before they are inserted.

A receipt, or a request that counts as known, must not be in the backup without its chunk. So these
are read before the ledger.
"""

from typing import Literal

from ledger import keys

How = Literal["early", "ledger", "at the cut", "made anew", "left out"]
"""`early`: read before the ledger. `ledger`: chunks, by the ids of those that wait and of dead
letters. `at the cut`: read in the transaction that reads these ids. `made anew`: follows from
others. `left out`: means nothing to a system that was restored."""

KEPT: dict[str, How] = {
    keys.REQUEST: "early",
    keys.RECEIPT: "early",
    keys.STORED: "early",
    keys.DROPPED: "early",
    keys.SPILLED: "early",
    keys.ALLOWANCE: "early",
    keys.JOB: "early",
    keys.WORKSPACE_JOBS: "early",
    keys.SHARED: "early",
    keys.CHUNK: "ledger",
    keys.LEDGER: "ledger",
    keys.DEAD: "ledger",
    keys.OUTDATED: "at the cut",
    keys.RETENTION: "at the cut",
    keys.TOTALS: "at the cut",
    keys.USAGE: "at the cut",
    keys.USAGE_MOVING: "at the cut",
    keys.USAGE_MOVES: "at the cut",
    keys.AUDIT: "at the cut",
    keys.SHARED_CHANGES: "at the cut",
    keys.OPEN: "made anew",
    keys.QUEUE: "made anew",
    keys.TURNS: "made anew",
    keys.WAITING: "made anew",
    keys.SPILLING: "made anew",
    keys.JOBS: "made anew",
    keys.BATCHES: "left out",
    keys.BATCH: "left out",
    keys.RECENT: "left out",
    keys.HURRIED: "left out",
    keys.LEDGERS: "left out",
    keys.USAGE_ADDED: "left out",
    keys.WORKER: "left out",
    keys.WORKERS: "left out",
    keys.WRITABLE: "left out",
    keys.BACKUP: "left out",
    keys.BACKUPS: "left out",
    keys.BACKUP_ORDERED: "left out",
    keys.LIVE: "left out",
}
"""Every key and prefix of `ledger.keys`."""


def how(key: str) -> How | None:
    """How a key is kept; None if it is not Sheaf's, or of a newer version."""
    if key in KEPT:
        return KEPT[key]
    prefixes = (name for name in KEPT if name.endswith(":") and key.startswith(name))
    return KEPT.get(max(prefixes, key=len, default=""))


def of(kind: How) -> list[str]:
    """The keys and prefixes that are kept like this."""
    return [key for key, each in KEPT.items() if each == kind]
