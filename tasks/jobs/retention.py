"""Retention: drops expired days and those beyond a limit of size, for all or one workspace.

It also drops old months of the audit log.
"""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING

from config.units import S_PER_DAY
from ledger import keys
from ledger.limits import LimitBook, combined
from ledger.retention import RetentionBook
from storage.clickhouse.space import NoSpaceError, check_space
from storage.lifecycle import audit
from storage.lifecycle.deletion import Deleter, Selection, first_ns, last_ns
from storage.lifecycle.retention import BY_AGE, Expired, ExpiryReader, selection
from storage.lifecycle.size import SizeReader, whole_days
from storage.query.rollups.marks import mark_stale
from storage.time_range import TimeRange
from tasks.jobs.deletion import LOGS_TABLE, Deletion
from tasks.jobs.job import EVERY_WORKSPACE, new_order

if TYPE_CHECKING:
    from config.settings import Settings
    from ledger.broker import Broker
    from storage.clickhouse.client import Clickhouse
    from tasks.jobs.book import JobBook
    from tasks.jobs.run import JobResult, Stores, Work

UNIT = "rows"

_HURRY_SECONDS = 300
_DROP_SECONDS = 600.0


def expired(stores: Stores) -> list[Expired]:
    """All rows that have expired by today, and then the oldest beyond the limits of size.

    Raises:
        SharedError: the limits of workspaces cannot be read.
    """
    settings, clickhouse = stores.settings, stores.clickhouse
    limits = RetentionBook(settings, stores.ledger.broker).limits()
    today = int(time.time()) // S_PER_DAY
    old = ExpiryReader(clickhouse, settings).expired(limits, today)
    sizes = LimitBook(stores.ledger.broker, clickhouse).table.all()
    if not settings.retain_max_bytes and not any(each.bytes_kept for each in sizes.values()):
        return old
    found = old + SizeReader(clickhouse, settings).oversize(
        lambda workspace_id: combined(sizes, workspace_id).bytes_kept, today, old
    )
    whole = {(each.table, each.partition) for each in found if not each.workspace_id}
    return [e for e in found if not e.workspace_id or (e.table, e.partition) not in whole]


def hurry(settings: Settings, book: JobBook, clickhouse: Clickhouse, broker: Broker) -> bool:
    """Order the job now if a limit of size or the mark of free space is passed.

    At most once in a few minutes. Returns whether it was ordered.
    """
    try:
        check_space(clickhouse, settings.disk_min_free)
    except NoSpaceError:
        pass
    else:
        limit = settings.retain_max_bytes
        if not limit or SizeReader(clickhouse, settings).total() <= limit:
            return False
    with broker.reading() as client:
        if not client.set(keys.HURRIED, 1, nx=True, ex=_HURRY_SECONDS):
            return False
    book.add(new_order("retention", EVERY_WORKSPACE, {}, unit=UNIT, asked_by="space"))
    return True


def expire(work: Work, stores: Stores) -> JobResult:
    """Drop and delete expired rows; a retry continues where the last attempt stopped."""
    deleter = Deleter(stores.clickhouse, stores.settings)
    _drop_old_acts(stores, deleter)
    if "left" not in work.notes:
        _plan(work, expired(stores))
    while work.notes["drops"]:
        table, partition, rows, *why = work.notes["drops"][0]
        if table == LOGS_TABLE and why not in ([], [BY_AGE]):
            # Rollups know by themselves only when rows are too old.
            whole_day = TimeRange(first_ns(partition), last_ns(partition))
            mark_stale(stores.clickhouse, "", whole_day, _DROP_SECONDS)
        deleter.drop(table, partition)
        work.notes["drops"].pop(0)
        work.done += rows
        work.save()
    selections = [_selection(*each) for each in work.notes["selections"]]
    Deletion(work, stores, selections).run()
    return {"partitions": work.notes["partitions"], "rows": work.done}


def _drop_old_acts(stores: Stores, deleter: Deleter) -> None:
    """Drop the months of the audit log that have expired."""
    today = dt.datetime.now(dt.UTC).date()
    kept_days = stores.settings.audit_retention_days
    for month in audit.expired_months(stores.clickhouse, kept_days, today):
        deleter.drop(audit.TABLE, month)


def _plan(work: Work, found: list[Expired]) -> None:
    whole = [each for each in found if not each.workspace_id]
    part = [each for each in found if each.workspace_id]
    selections = sorted({_selected(each) for each in part})
    places = {chosen: number for number, chosen in enumerate(selections)}
    work.notes.update(
        drops=[[each.table, each.partition, each.rows, each.why] for each in whole],
        partitions=len(whole),
        selections=selections,
        left=[[places[_selected(each)], each.partition] for each in part],
    )
    work.total = sum(each.rows for each in found)
    work.save()


def _selected(each: Expired) -> tuple[str, str, int, str]:
    return each.table, each.workspace_id, each.last_day, each.why


def _selection(table: str, workspace_id: str, last_day: int, why: str = BY_AGE) -> Selection:
    """What :func:`_selected` has noted; earlier versions noted no reason."""
    find = selection if why == BY_AGE else whole_days
    return find(table, workspace_id, last_day)
