"""A real worker that has more to store than it can: what else is due runs all the same."""

import pytest

from ledger.ledger import Ledger
from storage.query.rollups.buckets import TABLE
from storage.query.rollups.marks import mark
from tasks import hints as announce
from tasks.jobs.book import JobBook
from tasks.jobs.job import EVERY_WORKSPACE
from tests.integration.made_jobs import order
from tests.integration.made_logs import NOON, entry

pytestmark = pytest.mark.integration

CHUNKS = 3000


@pytest.fixture
def settings(stores):
    # What other tests left in the engine is from the past, and none of it shall expire here.
    return stores(
        log_batch_size=10, log_batch_timeout=0.1, worker_threads=2, trace_retention_hours=0
    )


@pytest.fixture
def client(celery_setup):
    """Sends Celery's messages."""
    return lambda task, *args: celery_setup.app.send_task(task, args=args, expires=60)


def test_jobs_rollups_and_retention_run_while_more_waits_than_can_be_stored(
    settings, client, celery_setup, clickhouse, wait_until
):
    ledger, book = Ledger(settings), JobBook(settings)
    for number in range(CHUNKS):
        ledger.accept([entry([f"{number}-{n}" for n in range(10)])])
    mark(clickhouse, [("at-rest", NOON // 10**9)], seconds=0)
    celery_setup.worker.start()
    wait_until(lambda: ledger.waiting.stats().totals.get("stored_batches"), 60)

    def hint():
        """Far more often than batches end: each hint would have a thread of its own."""
        client(announce.STORE_TASK, {"records": 1_000_000})
        return True

    for asked in range(3):
        assert hint()
        job = book.add(order("replay", workspace=f"w{asked}"))
        client(announce.JOB_TASK)
        wait_until(
            lambda job=job: hint() and book.one(job.order.workspace_id, job.order.id).finished
        )

    def wake():
        """As beat does: a job that found the engine too busy goes on later."""
        client(announce.JOB_TASK)
        return hint()

    client("sheaf.retention")
    client("sheaf.rollups")
    wait_until(lambda: wake() and retained(ledger, book))
    wait_until(lambda: hint() and rolled_up(clickhouse))
    stats = ledger.waiting.stats()
    assert stats.waiting_chunks > 0, "the backlog has ended, so that nothing was shown"
    assert stats.totals["stored_batches"] < CHUNKS
    book.close()
    ledger.close()


def rolled_up(clickhouse):
    [(count,)] = clickhouse.query(f"SELECT count() FROM {TABLE} WHERE WorkspaceId = 'at-rest'")
    return count


def retained(ledger, book):
    """Whether a job of retention has ended."""
    with ledger.broker.reading() as broker:
        ids = [key.decode().rpartition(":")[2] for key in broker.scan_iter("sheaf:job:*")]
    jobs = [book.one(EVERY_WORKSPACE, job_id) for job_id in ids]
    return [job for job in jobs if job and job.order.kind == "retention" and job.finished]
