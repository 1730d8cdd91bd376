"""Retention: drops expired partitions, and deletes rows of workspaces with a shorter retention."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from config.units import S_PER_DAY
from ledger.retention import RetentionBook
from storage.lifecycle.deletion import Deleter
from storage.lifecycle.retention import Expired, ExpiryReader, selection
from tasks.jobs.deletion import Deletion

if TYPE_CHECKING:
    from tasks.jobs.run import JobResult, Stores, Work

UNIT = "rows"


def expired(stores: Stores) -> list[Expired]:
    """All rows that have expired by today."""
    limits = RetentionBook(stores.settings, stores.ledger.broker).limits()
    today = int(time.time()) // S_PER_DAY
    return ExpiryReader(stores.clickhouse, stores.settings).expired(limits, today)


def expire(work: Work, stores: Stores) -> JobResult:
    """Drop and delete expired rows; a retry continues where the last attempt stopped."""
    if "left" not in work.notes:
        _plan(work, expired(stores))
    deleter = Deleter(stores.clickhouse, stores.settings)
    while work.notes["drops"]:
        table, partition, rows = work.notes["drops"][0]
        deleter.drop(table, partition)
        work.notes["drops"].pop(0)
        work.done += rows
        work.save()
    selections = [selection(*each) for each in work.notes["selections"]]
    Deletion(work, stores, selections).run()
    return {"partitions": work.notes["partitions"], "rows": work.done}


def _plan(work: Work, found: list[Expired]) -> None:
    whole = [each for each in found if not each.workspace_id]
    part = [each for each in found if each.workspace_id]
    selections = sorted({_selected(each) for each in part})
    places = {chosen: number for number, chosen in enumerate(selections)}
    work.notes.update(
        drops=[[each.table, each.partition, each.rows] for each in whole],
        partitions=len(whole),
        selections=selections,
        left=[[places[_selected(each)], each.partition] for each in part],
    )
    work.total = sum(each.rows for each in found)
    work.save()


def _selected(each: Expired) -> tuple[str, str, int]:
    return each.table, each.workspace_id, each.last_day
