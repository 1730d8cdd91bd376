"""A real worker reports that it is at work, and on what, until it stops."""

import pytest

from ledger.ledger import Ledger
from ledger.recent import recent_batches
from ledger.workers import WorkerBook
from tasks import hints as announce
from tasks.hints import Hint
from tests.integration.made_logs import entry

pytestmark = pytest.mark.integration


@pytest.fixture
def settings(stores):
    return stores(log_batch_timeout=0.1, worker_threads=3)


def test_a_worker_is_known_until_it_stops(settings, celery_setup, clickhouse, wait_until):
    assert clickhouse
    ledger = Ledger(settings)
    book = WorkerBook(ledger.broker)
    worker = celery_setup.worker
    worker.start()
    wait_until(book.all)
    [found] = book.all()
    assert found.name.startswith("celery@")
    assert found.pid == worker.container.process.pid
    assert found.threads == 3

    ledger.accept([entry(["x"])])
    Hint("logs", 1, 1, 80, "id").send(celery_setup.app)
    celery_setup.app.send_task("sheaf.sweep")

    def done():
        [found] = book.all()
        return {task.name: task.done for task in found.tasks if task.done}

    wait_until(lambda: {announce.STORE_TASK, "sheaf.sweep"} <= done().keys())
    wait_until(lambda: recent_batches(ledger.broker))
    [batch] = recent_batches(ledger.broker)
    assert (batch.records, batch.attempt) == (1, 1)
    [later] = book.all()
    assert later.seen_ms > found.seen_ms
    assert later.started_ms == found.started_ms

    worker.container.process.terminate(30)
    assert book.all() == []
    ledger.close()
