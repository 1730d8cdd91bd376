"""Puts sample data into a workspace, on the way that all records take: through the ledger."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from typing import TYPE_CHECKING

from config.units import MS_PER_S, NS_PER_MS
from ledger import chunk
from ledger.chunk import Chunk, Header
from ledger.ledger import Entry, LedgerFullError, LimitedError, RepeatedRequestsError
from ledger.limits import LimitBook
from ledger.retention import RetentionBook
from storage.clickhouse.space import check_space
from tasks.jobs.run import JobFailedError
from tasks.sample.parts import Part, parts

if TYPE_CHECKING:
    from ledger.limits import Limits
    from tasks.jobs.job import JobOrder
    from tasks.jobs.run import JobResult, Stores, Work

UNIT = "records"

_CLIENT = "default"
_FULL_SECONDS = 5.0
_OF_DAY = "bytes_per_day"


def load_sample(work: Work, stores: Stores) -> JobResult:
    """Accept the sample's records; a retry goes on after the last part that was accepted.

    The sample ends when the job was ordered. The result has the number of records by signal.
    """
    order = work.order
    made = parts(order.created_ms * NS_PER_MS)
    limits = LimitBook(stores.ledger.broker, stores.clickhouse).effective(order.workspace_id)
    days = RetentionBook(stores.settings, stores.ledger.broker).days(order.workspace_id)
    work.total = sum(part.records for part in made)
    for number in range(work.notes.get("accepted", 0), len(made)):
        part = made[number]
        check_space(stores.clickhouse, stores.settings.disk_min_free)
        entry = _entry(order, number, part, days[part.signal])
        _accept(work, stores, entry, limits)
        work.done += part.records
        work.notes["accepted"] = number + 1
        work.save()
    counts: Counter[str] = Counter()
    for part in made:
        counts[part.signal] += part.records
    return dict(counts)


def _entry(order: JobOrder, number: int, part: Part, retention_days: int) -> Entry:
    # By its number, so that the ledger knows a part that a dead worker has handed in.
    request = hashlib.sha256(f"sample {order.id} {number}".encode()).hexdigest()[:32]
    header = Header(
        version=chunk.VERSION,
        id=chunk.new_id(),
        signal=part.signal,
        workspace_id=order.workspace_id,
        client_id=_CLIENT,
        records=part.records,
        bytes=len(part.payload),
        received_at=time.time_ns(),
        retention_days=retention_days,
    )
    return Entry(Chunk(header, chunk.compress(part.payload)), (request,))


def _accept(work: Work, stores: Stores, entry: Entry, limits: Limits) -> None:
    try:
        stores.ledger.of(entry.chunk.header.workspace_id).accept(
            [entry], limits_of=lambda _: limits
        )
    except RepeatedRequestsError:
        pass
    except LedgerFullError:
        work.give_back(_FULL_SECONDS)
    except LimitedError as error:
        [exceeded] = error.exceeded
        if exceeded.limit == _OF_DAY:
            text = f"workspace {exceeded.workspace_id} may receive no more today: {_OF_DAY}"
            raise JobFailedError(text) from None
        work.give_back(exceeded.wait_ms / MS_PER_S)
