"""The Celery app: `celery -A tasks.app worker --pool threads`."""

from typing import Any

from celery import Celery
from celery.signals import (
    beat_init,
    setup_logging,
    worker_init,
    worker_ready,
    worker_shutdown,
    worker_shutting_down,
)

from access.audit import AuditLog
from access.store import KeyStore
from config import logging, settings
from config.once import Once
from ledger.dead_letters.spill import Spill
from ledger.ledgers import AnyLedger, open_ledgers
from ledger.limits import LimitBook
from ledger.redaction import RedactionBook
from ledger.saved import saved_tables
from ledger.shared import SharedTable, reconcile
from ledger.usable import check_usable_or_exit
from ledger.usage import usage_counters
from storage import decode
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.insert import Inserter
from storage.query.rollups.compute import Rollups
from storage.query.rollups.unmarked import UnmarkedRows
from storage.schema.state import check_schema_or_exit
from tasks import hints as announce
from tasks.batches import RowBatches
from tasks.hints import counted
from tasks.jobs.backup import order_due
from tasks.jobs.book import JobBook
from tasks.jobs.export import drop_old_exports
from tasks.jobs.job import EVERY_WORKSPACE, new_order
from tasks.jobs.kinds import KINDS
from tasks.jobs.retention import UNIT as EXPIRED_ROWS
from tasks.jobs.retention import hurry
from tasks.jobs.run import JobRunner, Stores
from tasks.presence import Presence
from worker.looking import Looking
from worker.several import Writers, writer_of
from worker.storing import Storing
from worker.write import Writer

# Celery imports this module to find the app; invalid settings end the process with a message.
_settings = settings.load_or_exit()

app = Celery("sheaf", events="tasks.events:Events")
app.config_from_object("celeryconfig")


@Once
def _ledger() -> AnyLedger:
    return open_ledgers(_settings)


@Once
def _writer() -> Writer | Writers:
    writer = writer_of(_settings, _ledger(), Clickhouse(_settings), Inserter(_settings))
    writer.start()
    return writer


@Once
def _storing() -> Storing:
    rest = announce.Hint("any", records=_settings.log_batch_size)
    return Storing(_writer(), _settings.worker_threads, lambda: rest.send(app))


@Once
def _jobs() -> JobRunner:
    stores = Stores(_settings, Clickhouse(_settings), _ledger())
    return JobRunner(JobBook(_settings, _ledger().broker), stores, KINDS)


@Once
def _clickhouse() -> Clickhouse:
    return Clickhouse(_settings)


@Once
def _shared_tables() -> list[SharedTable[Any]]:
    stores = (_ledger().broker, _clickhouse())
    return [
        KeyStore(_settings, *stores).table,
        LimitBook(*stores).table,
        RedactionBook(*stores).table,
    ]


@Once
def _rollups() -> Rollups:
    return Rollups(Clickhouse(_settings))


@Once
def _unmarked() -> UnmarkedRows:
    return UnmarkedRows(Clickhouse(_settings))


@app.task(
    base=RowBatches,
    name=announce.STORE_TASK,
    # A third of a batch: while one is stored, the next one grows. Each ledger has its own batches.
    flush_rows=max(1, _settings.log_batch_size // 3) * len(_settings.ledger_addresses),
    flush_every=1_000_000,
    flush_interval=_settings.log_batch_timeout,
)
def store(hints: list[tuple[Any, ...]]) -> str:
    """Store chunks from the ledger; the hints only trigger it."""
    outcomes = _storing().run()
    if outcomes is None:
        return f"{counted(len(hints), 'hint')} left to batches already running"
    rows = sum(outcome.rows for outcome in outcomes)
    problems = [outcome.problem for outcome in outcomes if outcome.problem]
    if problems:
        raise RuntimeError(f"{counted(rows, 'row')} stored, then: {'; '.join(problems)}")
    batches = counted(len(outcomes), "batch")
    return f"{counted(rows, 'row')} stored in {batches}, for {counted(len(hints), 'hint')}"


@app.task(name="sheaf.sweep")
def sweep() -> str:
    """Send a hint for waiting work: lost hints, batches of dead workers, elapsed backoffs."""
    waiting = _ledger().waiting.overdue(seconds=2 * _settings.log_batch_timeout)
    if waiting:
        announce.Hint("any", chunks=waiting).send(app)
    return f"{waiting:,} chunks and batches waiting"


@app.task(name=announce.JOB_TASK)
def run_jobs() -> str:
    """Run the jobs that are due, unless this worker is already running one."""
    return f"{counted(_jobs().drain(), 'job')} run"


@app.task(name="sheaf.retention")
def retention() -> str:
    """Queue the daily retention job, and delete export files of old jobs."""
    drop_old_exports(_settings)
    order = new_order("retention", EVERY_WORKSPACE, {}, unit=EXPIRED_ROWS, asked_by="beat")
    JobBook(_settings, _ledger().broker).add(order)
    announce.wake_for_jobs(app)
    return f"queued as job {order.id}"


@app.task(name="sheaf.shared")
def shared() -> str:
    """Bring shared settings to the store that missed them; move usage and audit to ClickHouse."""
    stores = (_ledger().broker, _clickhouse())
    written = reconcile([*_shared_tables(), *saved_tables(*stores)])
    rows = usage_counters(_ledger()).move(stores[1])
    acts = AuditLog(*stores).move()
    moved = f"{counted(rows, 'usage row')} and {counted(acts, 'audit log entry')} moved"
    return f"{counted(written, 'shared setting')} reconciled, {moved}"


@app.task(name="sheaf.space")
def space() -> str:
    """Make room: move dead letters beyond their limit, and hurry retention if space is short."""
    clickhouse, broker = _clickhouse(), _ledger().broker
    hurried = hurry(_settings, JobBook(_settings, broker), clickhouse, broker)
    if hurried:
        announce.wake_for_jobs(app)
    moved = counted(Spill(_settings, _ledger(), clickhouse).run(), "dead letter")
    return f"{moved} moved, retention {'ordered' if hurried else 'not needed'}"


@app.task(name="sheaf.backup")
def backup() -> str:
    """Order a backup if one is due by `BACKUP_EVERY_HOURS`."""
    broker = _ledger().broker
    ordered = order_due(_settings, JobBook(_settings, broker), broker)
    if ordered:
        announce.wake_for_jobs(app)
    return "ordered" if ordered else "not due"


@app.task(name="sheaf.rollups")
def rollups() -> str:
    """Recompute stale rollups, for at most `ROLLUP_INTERVAL`; daily, look for unmarked rows."""
    computed = counted(_rollups().refresh(_settings.rollup_interval), "rollup")
    return f"{computed} computed, {counted(_unmarked().look(), 'unmarked hour')} found"


@setup_logging.connect
def _configure_logging(**_: object) -> None:
    logging.configure(_settings)


@worker_init.connect
@beat_init.connect
def _check_broker(**_: object) -> None:
    """End the process if the broker cannot be used: Celery would try forever."""
    check_usable_or_exit(_settings)


@worker_init.connect
def _warm_up(**_: object) -> None:
    """Check the schema, and load the decoders so that the first batch does not wait for them."""
    check_schema_or_exit(_settings)
    for signal in decode.SIGNALS:
        decode.decode(signal, [])


_presence: list[Presence] = []
_looking: list[Looking] = []
"""Those of this process, if it is a worker; it looks if there are several ledgers."""


@worker_ready.connect
def _report(sender: Any, **_: object) -> None:  # noqa: ANN401 - Celery's consumer
    """Report this worker from now on."""
    made = Presence(_ledger().broker, str(sender.hostname), _settings.worker_threads)
    _presence.append(made)
    made.start()
    if len(_ledger().all) > 1:
        looking = Looking(_storing())
        _looking.append(looking)
        looking.start()


@worker_shutting_down.connect
def _finish(**_: object) -> None:
    """Let running tasks finish their current batch or step, but start no other."""
    _writer().stop()
    _jobs().stop()


@worker_shutdown.connect
def _close(**_: object) -> None:
    for looking in _looking:
        looking.stop()
    for each in _presence:
        each.stop()
    if _writer.is_built:
        _writer().close()
    if _ledger.is_built:
        _ledger().close()
    app.events.outbox.close()
