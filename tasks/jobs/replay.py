"""Replaying dead letters: putting all that match back among what waits to be stored."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import msgspec

from tasks.dead_letters import REPLAYED_AT_ONCE, DeadLetters, Filters, Position

if TYPE_CHECKING:
    from tasks.jobs.run import Result, Stores, Work

UNIT = "dead letters"


def arguments(filters: Filters) -> dict[str, Any]:
    """The arguments of a job's order; JSON knows no infinity, and no end is none."""
    plain = asdict(filters)
    if filters.until == float("inf"):
        del plain["until"]
    return plain


def replay(work: Work, stores: Stores) -> Result:
    """Replay the dead letters that were there when it was asked for.

    One that dies again is a new dead letter, buried later than the order, and stays. A further
    attempt goes on in the list where the last one was, and does not look through its beginning.
    """
    asked = msgspec.convert(work.order.arguments, Filters)
    filters = replace(asked, until=min(asked.until, work.order.created_ms / 1000))
    shelf = DeadLetters(stores.ledger)
    if work.total is None:
        work.total = _count(work, shelf, filters)
        work.save()
    after = Position(*work.notes["after"]) if work.notes.get("after") else None
    for stretch in shelf.stretches(filters, after, REPLAYED_AT_ONCE):
        work.done += shelf.replay_these(stretch.letters)
        work.notes["after"] = stretch.end and [stretch.end.buried_ms, stretch.end.id]
        work.save()
    return {"replayed": work.done}


def _count(work: Work, shelf: DeadLetters, filters: Filters) -> int:
    count = 0
    for stretch in shelf.stretches(filters, size=REPLAYED_AT_ONCE):
        count += len(stretch.letters)
        work.keep()
    return count
