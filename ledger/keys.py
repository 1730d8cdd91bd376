"""The keys of everything kept in the broker, and its clock.

The Lua scripts refer to keys as `keys.<name>`; :class:`ledger.broker.Script` fills them in.
"""

import re
import time

from config.units import NS_PER_MS

PREFIX = "sheaf:"
"""Of all of them."""

CHUNK = "sheaf:chunk:"
"""By chunk id, a hash: header, payload, records, bytes, size (compressed bytes of the payload),
tries, workspace, client, and the reason of a dead letter."""

LEDGER = "sheaf:ledger"
"""Sorted set of the ids of all waiting chunks, by the time they were accepted, in ms."""

OPEN = "sheaf:open:"
"""By signal, a sorted set of the ids of chunks that are not in a batch yet."""

QUEUE = "sheaf:queue:"
"""By signal and workspace, a sorted set of the same ids: those of one workspace. An older version
that seals takes ids from the open ones alone, so an id counts only if it is there too."""

TURNS = "sheaf:turns:"
"""By signal, a sorted set of the workspaces that have open chunks, or had some at their last turn,
by the rows they have had in batches; the one that has had the fewest is next."""

ALLOWANCE = "sheaf:allowance:"
"""By workspace, a hash: how many records and bytes may come at once as of when (`at`, ms), and the
bytes that came on which day."""

BATCHES = "sheaf:batches"
"""Sorted set of the ids of sealed batches, by when they are due again in ms."""

BATCH = "sheaf:batch:"
"""By batch id, a hash: signal, chunks (changes only when one becomes a dead letter), attempt (the
fence), lease (the lease's name), sealed and oldest: when it was sealed, and when the oldest of its
chunks was accepted, in ms. An older version does not write the last two."""

RECENT = "sheaf:recent"
"""A list of the last batches that were stored, the newest first; see `ledger.recent`."""

DEAD = "sheaf:dead"
"""Sorted set of the ids of dead letters, by when they became dead letters in ms."""

SPILLING = "sheaf:spilling"
"""Set of the ids of dead letters here that may have a copy in ClickHouse: they move there."""

SPILLED = "sheaf:spilled:"
"""By the id of a dead letter that moved to ClickHouse, for the longer window: its records, when it
became one in ms, and its reason, for receipts."""

OUTDATED = "sheaf:outdated"
"""Set of copies of dead letters in ClickHouse that no longer count, until ClickHouse knows it: the
chunk id, a space, when it became a dead letter in ms."""

REQUEST = "sheaf:request:"
"""By request id, for the request window: the id of its chunk, then the digest of its body if it
has an Idempotency-Key."""

RECEIPT = "sheaf:receipt:"
"""By receipt, for the receipt window: the ids of its chunks if it stands for several, joined by
spaces."""

STORED = "sheaf:stored:"
"""By the id of a stored chunk, for the receipt window: its records and time of storage in ms."""

DROPPED = "sheaf:dropped:"
"""By the id of a dropped dead letter, for the longer window: its records and the time in ms."""

WAITING = "sheaf:waiting"
"""A hash: records, bytes, records open by signal, the place of the last turn by signal, and
dead_bytes, which is missing until the dead letters have been counted once, and spilled, how many of
them are in ClickHouse, which is missing until they have been counted there."""

TOTALS = "sheaf:totals"
"""A hash of counters, by the names of `config.metrics.TOTALS`."""

JOB = "sheaf:job:"
"""By job id, a hash: order, state, done, total, notes (for the next holder), attempt (the fence),
deaths, cancel_asked, result, error, times."""

JOBS = "sheaf:jobs"
"""Sorted set of the ids of unfinished jobs, by when they are due again in ms."""

WORKSPACE_JOBS = "sheaf:jobs:"
"""By workspace, a sorted set of the ids of its jobs, by creation in ms."""

RETENTION = "sheaf:retention"
"""A hash of workspaces to their retention overrides: days by signal, in JSON."""

HURRIED = "sheaf:hurried"
"""Exists for some minutes after retention was ordered because of space."""

SHARED = "sheaf:shared:"
"""By kind of settings that all processes share, a hash of names to entries in JSON."""

SHARED_CHANGES = "sheaf:shared_changes"
"""A hash: how often something of a kind was changed."""

USAGE = "sheaf:usage"
"""A hash of counters of what tenants send: see `ledger.usage`."""

USAGE_MOVING = "sheaf:usage_moving"
"""The same, while they are moved to ClickHouse; `id` is that of the rows there."""

USAGE_ADDED = "sheaf:usage_added:"
"""Prefix: what a door has added to the counters, so that it is not added again; for an hour."""

USAGE_MOVES = "sheaf:usage_moves"
"""How often counters have been set aside to be moved."""

AUDIT = "sheaf:audit"
"""A list of entries of the audit log, in JSON, that are not in ClickHouse yet."""

LEDGERS = "sheaf:ledgers"
"""A hash, in each ledger if there are several: the names of all of them, `main`, which is the name
of the main one, and `opened`, since when this ledger takes chunks, in ms; see `ledger.register`."""

WORKER = "sheaf:worker:"
"""By a worker's name, what it says of itself, in JSON; expires soon after it stops."""

WORKERS = "sheaf:workers"
"""Sorted set of the names of workers, by when they last said something, in ms."""

BACKUP = "sheaf:backup"
"""Who makes a backup; expires soon after it stops. Meanwhile nothing that a backup has read moves
from ClickHouse to the broker, or from counters of the broker to ClickHouse."""

BACKUPS = "sheaf:backups"
"""A list of the last backups, in JSON, the newest first; see `ledger.backup.record`."""

BACKUP_ORDERED = "sheaf:backup_ordered"
"""Exists for some time after beat has ordered a backup."""

WRITABLE = "sheaf:writable"
"""Written to check whether the broker takes writes; expires within a millisecond."""

LIVE = "sheaf:live:"
"""By workspace, the channel of its live tail."""


def in_script(text: str) -> str:
    """A script's text with its keys filled in.

    Raises:
        KeyError: it uses a key that is not defined here.
    """
    return re.sub(r"\bkeys\.(\w+)", lambda name: f"'{globals()[name[1].upper()]}'", text)


def now_ms() -> int:
    """Now in Unix milliseconds, the unit of times in the broker."""
    return time.time_ns() // NS_PER_MS
