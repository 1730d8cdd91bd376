"""Replays all dead letters that match a filter: queues their chunks again."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import msgspec

from ledger.dead_letters.search import (
    REPLAY_BATCH,
    DeadLetterFilter,
    DeadLetterPosition,
    DeadLetters,
)

if TYPE_CHECKING:
    from tasks.jobs.run import JobResult, Stores, Work

UNIT = "dead letters"


def arguments(filters: DeadLetterFilter) -> dict[str, Any]:
    """The arguments of a job's order; an infinite `until` is omitted, as JSON has no infinity."""
    plain = asdict(filters)
    if filters.until == float("inf"):
        del plain["until"]
    return plain


def replay(work: Work, stores: Stores) -> JobResult:
    """Replay the matching dead letters that existed when the job was ordered.

    A chunk that fails again becomes a new, later dead letter, which is not replayed. A retry
    continues in the list where the last attempt stopped.
    """
    filters = msgspec.convert(work.order.arguments, DeadLetterFilter)
    filters = replace(filters, until=min(filters.until, work.order.created_ms / 1000))
    dead_letters = DeadLetters(stores.ledger, stores.clickhouse)
    if work.total is None:
        work.total = _count(work, dead_letters, filters)
        work.save()
    after = DeadLetterPosition(*work.notes["after"]) if work.notes.get("after") else None
    for stretch in dead_letters.stretches(filters, after, REPLAY_BATCH):
        work.done += dead_letters.replay_many(stretch.letters)
        work.notes["after"] = stretch.end and [stretch.end.dead_ms, stretch.end.id]
        work.save()
    return {"replayed": work.done}


def _count(work: Work, dead_letters: DeadLetters, filters: DeadLetterFilter) -> int:
    count = 0
    for stretch in dead_letters.stretches(filters, size=REPLAY_BATCH):
        count += len(stretch.letters)
        work.keep()
    return count
