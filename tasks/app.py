"""The Celery app: `celery -A tasks.app worker --pool threads`."""

from functools import cache
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_init, worker_shutdown, worker_shutting_down

from config import logging, settings
from storage import decode
from storage.client import Clickhouse
from storage.insert import Inserter
from tasks import announce
from tasks.batches import RowBatches
from tasks.ledger import Ledger
from tasks.write import Writer

app = Celery("sheaf")
app.config_from_object("celeryconfig")


@cache
def _ledger() -> Ledger:
    return Ledger(settings.load())


@cache
def _writer() -> Writer:
    loaded = settings.load()
    return Writer(loaded, _ledger(), Clickhouse(loaded), Inserter(loaded))


@app.task(
    base=RowBatches,
    name=announce.STORE_TASK,
    # Half: while one batch is stored, the next gathers.
    flush_rows=max(1, settings.load().log_batch_size // 2),
    flush_every=1_000_000,
    flush_interval=settings.load().log_batch_timeout,
)
def store(hints: list[tuple[Any, ...]]) -> str:
    """Store what the ledger holds; the hints say that there is something."""
    outcomes = _writer().drain()
    rows = sum(outcome.rows for outcome in outcomes)
    problems = [outcome.problem for outcome in outcomes if outcome.problem]
    if problems:
        raise RuntimeError(f"{rows} rows stored, then: {'; '.join(problems)}")
    return f"{rows} rows in {len(outcomes)} batches for {len(hints)} hints"


@app.task(name="sheaf.sweep")
def sweep() -> int:
    """Hint at what was left lying: lost hints, dead workers' batches, backoffs that are over."""
    waiting = _ledger().left_lying(seconds=2 * settings.load().log_batch_timeout)
    if waiting:
        announce.Hint("any", chunks=waiting).send(app)
    return waiting


@setup_logging.connect
def _configure_logging(**_: object) -> None:
    logging.configure(settings.load())


@worker_init.connect
def _warm_up(**_: object) -> None:
    """Load the decoders before the first batch has to wait for them."""
    for signal in decode.SIGNALS:
        decode.decode(signal, [])


@worker_shutting_down.connect
def _finish(**_: object) -> None:
    """Let running tasks end with the batch that they are at, however much waits behind it."""
    _writer().stop()


@worker_shutdown.connect
def _close(**_: object) -> None:
    if _ledger.cache_info().currsize:
        _ledger().close()
