"""The backup by schedule: a job, so that one worker makes it and the next goes on if that dies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from config.units import MS_PER_S, S_PER_HOUR
from ledger import keys
from ledger.backup.record import recent_backups
from storage.backup.place import BackupError, place_of
from tasks.backup.make import BackupMaker, Begun
from tasks.jobs.job import EVERY_WORKSPACE, new_order
from tasks.jobs.run import JobFailedError

if TYPE_CHECKING:
    from config.settings import Settings
    from ledger.broker import Broker
    from tasks.jobs.book import JobBook
    from tasks.jobs.run import JobResult, Stores, Work

UNIT = "rows"

_LOOK_SECONDS = 1.0
_AGAIN_SECONDS = S_PER_HOUR
"""After a backup that failed."""


def order_due(settings: Settings, book: JobBook, broker: Broker) -> bool:
    """Order a backup if one is due by `BACKUP_EVERY_HOURS`; returns whether one was ordered.

    Raises:
        BrokerError: the broker does not answer.
    """
    if not settings.backup_every_hours or not _is_due(settings, broker):
        return False
    with broker.reading() as client:
        if client.exists(keys.BACKUP):
            return False
        # Until this one is in the list of backups.
        seconds = int(min(_AGAIN_SECONDS, settings.backup_every_hours * S_PER_HOUR)) or 1
        if not client.set(keys.BACKUP_ORDERED, 1, nx=True, ex=seconds):
            return False
    book.add(new_order("backup", EVERY_WORKSPACE, {}, unit=UNIT, asked_by="beat"))
    return True


def _is_due(settings: Settings, broker: Broker) -> bool:
    now = keys.now_ms()
    every = settings.backup_every_hours * S_PER_HOUR * MS_PER_S
    for record in recent_backups(broker):
        if not record.error:
            return now - record.began_ms >= every
        if now - record.ended_ms < min(every, _AGAIN_SECONDS * MS_PER_S):
            return False
    return True


def make_backup(work: Work, stores: Stores) -> JobResult:
    """Make a backup; other jobs run while ClickHouse writes the tables."""
    begun = None
    try:
        place = place_of(stores.settings)
        maker = BackupMaker(stores.settings, stores.ledger, stores.clickhouse, place)
    except BackupError as error:
        raise JobFailedError(str(error)) from error
    try:
        if "begun" not in work.notes:
            work.notes["begun"] = msgspec.to_builtins(maker.begin(go_on=work.keep))
            work.save()
        begun = msgspec.convert(work.notes["begun"], Begun)
        if not maker.is_done(begun):
            work.give_back(_LOOK_SECONDS)
        made = maker.finish(begun)
    except BackupError as error:
        maker.fail(begun, str(error))
        raise JobFailedError(str(error)) from error
    work.done = made.rows
    return {"backup": f"{place.text}/{made.name}", "rows": made.rows, "base": made.base}
