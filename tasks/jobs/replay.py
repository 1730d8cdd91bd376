"""Replaying dead letters: putting all that match back among what waits to be stored."""

from __future__ import annotations

from dataclasses import asdict, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from tasks.dead_letters import DeadLetters, Filters

if TYPE_CHECKING:
    from tasks.jobs.run import Result, Stores, Work

UNIT = "dead letters"

_STEP = 100


def arguments(filters: Filters) -> dict[str, Any]:
    """The arguments of a job's order; JSON knows no infinity, and no end is none."""
    plain = asdict(filters)
    if filters.until == float("inf"):
        del plain["until"]
    return plain


def replay(work: Work, stores: Stores) -> Result:
    """Replay the dead letters that were there when it was asked for.

    One that dies again is a new dead letter, buried later than the order, and stays.
    """
    asked = msgspec.convert(work.order.arguments, Filters)
    filters = replace(asked, until=min(asked.until, work.order.created_ms / 1000))
    shelf = DeadLetters(stores.ledger)
    if work.total is None:
        work.total = sum(1 for _ in shelf.matching(filters))
        work.save()
    while letters := list(islice(shelf.matching(filters), _STEP)):
        work.done += sum(shelf.replay(letter) for letter in letters)
        work.save()
    return {"replayed": work.done}
