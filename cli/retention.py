"""`sheaf retention`: listing or deleting expired records."""

import sys
import time
from argparse import Namespace

from celery import Celery

from access.audit import AuditError
from cli.acts import Acts
from config.settings import Settings
from ledger.ledger import BrokerError, Ledger
from ledger.shared import SharedError
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import StorageError
from storage.lifecycle.deletion import day_and_retention
from storage.lifecycle.retention import Expired
from tasks.hints import wake_for_jobs
from tasks.jobs.book import JobBook
from tasks.jobs.job import EVERY_WORKSPACE, Job, new_order
from tasks.jobs.retention import UNIT, expired
from tasks.jobs.run import Stores

_BEGIN_SECONDS = 30.0
_PAUSE = 0.2


def run(settings: Settings, options: Namespace) -> int:
    """List what has expired (`dry_run`), or have a worker delete it; returns the exit code."""
    ledger, clickhouse = Ledger(settings), Clickhouse(settings)
    try:
        if options.dry_run:
            return _list(expired(Stores(settings, clickhouse, ledger)))
        Acts(ledger.broker, clickhouse).record("retention.run", "", {})
        return _drop(settings, JobBook(settings, ledger.broker))
    except (BrokerError, SharedError, StorageError, AuditError) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        clickhouse.close()
        ledger.close()


def _list(found: list[Expired]) -> int:
    print("table", "day", "kept_days", "workspace", "rows", "bytes", "why", sep="\t")
    for each in found:
        day, kept = day_and_retention(each.partition)
        workspace = each.workspace_id or "(all)"
        print(each.table, _date(day), kept, workspace, each.rows, each.bytes, each.why, sep="\t")
    rows, size = sum(each.rows for each in found), sum(each.bytes for each in found)
    print(f"{rows} rows, {size} bytes would be deleted", file=sys.stderr)
    return 0


def _drop(settings: Settings, book: JobBook) -> int:
    order = new_order("retention", EVERY_WORKSPACE, {}, unit=UNIT, asked_by="cli")
    job = book.add(order)
    with Celery("sheaf", broker=settings.broker_url, task_default_queue="sheaf") as app:
        wake_for_jobs(app)
    job = _watched(book, job)
    if job.state == "done":
        print(f"{job.done} rows dropped")
        return 0
    text = job.error or "no worker has started it; one will when it runs"
    print(f"Retention {job.state}: {text}.", file=sys.stderr)
    return 1


def _watched(book: JobBook, job: Job) -> Job:
    """The job when it is finished, or when no worker has started it for half a minute."""
    deadline = time.monotonic() + _BEGIN_SECONDS
    while not job.finished and (job.state == "running" or time.monotonic() < deadline):
        time.sleep(_PAUSE)
        job = book.one(EVERY_WORKSPACE, job.order.id) or job
    return job


def _date(day: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(day * 86_400))
