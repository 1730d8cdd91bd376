"""The status of intake and storage: counters, batches, workers, disk."""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any, Generic, TypeVar

import msgspec
from flask import Response, current_app

from config import metrics
from config.units import MS_PER_DAY, NS_PER_MS
from ledger import keys
from ledger.backup.record import recent_backups
from ledger.broker import Broker, BrokerError
from ledger.recent import recent_batches
from ledger.space import space_of
from ledger.states import LedgerState, shown
from ledger.usage import usage_counters
from ledger.workers import WorkerBook
from storage.clickhouse.errors import StorageError
from storage.clickhouse.space import disk_size
from storage.lifecycle.size import SizeReader
from storage.lifecycle.usage import STORED, Usage
from web.admin.status_schemas import StatusAnswer
from web.common.days import today
from web.common.tenancy import Arguments, TenantArguments, client_of, workspace_of
from web.http.access import current_principal
from web.http.answers import about_request, answer
from web.http.blueprint import ApiBlueprint
from web.http.health import state
from web.http.resources import Resources, current_resources

_DISK_SECONDS = 5.0
_DISK = "sheaf.status.disk"

Figures = TypeVar("Figures")


class Remembered(Generic[Figures]):
    """Figures that are read again when they are older than some seconds. Thread-safe."""

    def __init__(self, seconds: float) -> None:
        """Keep figures for `seconds`."""
        self._seconds = seconds
        self._until = 0.0
        self._figures: list[Figures] = []
        self._lock = threading.Lock()

    def get(self, read: Callable[[], Figures]) -> Figures:
        """The figures, from `read` if need be; while one thread reads, others wait."""
        with self._lock:
            if not self._figures or time.monotonic() >= self._until:
                self._figures = [read()]
                self._until = time.monotonic() + self._seconds
            return self._figures[0]


def status_blueprint() -> ApiBlueprint:
    """The route `/status`."""
    blueprint = ApiBlueprint("status", __name__, description="Status")

    @blueprint.endpoint("/status", StatusAnswer, takes=TenantArguments, cost="none")
    def status(arguments: dict[str, Any]) -> Response:
        """Get what is accepted, waiting and stored: of a workspace, and of the whole system."""
        found, problems = state()
        sees_all = not current_principal().workspace_id
        return answer(
            {
                "time_ms": time.time_ns() // NS_PER_MS,
                "status": found["status"],
                "broker": found["broker"],
                "database": found["database"],
                "workspace": _workspace(arguments),
                "system": _system(found, list(problems.values())) if sees_all else None,
                **about_request(),
            }
        )

    return blueprint


def _workspace(arguments: Arguments) -> dict[str, Any]:
    workspace_id, client_id = workspace_of(arguments), client_of(arguments)
    since_ms, used = _used(workspace_id)
    of_client = None if used is None else [u for u in used if client_id in {"", u.client_id}]
    waiting = None
    with suppress(BrokerError):
        if not client_id:
            waiting = current_resources().ledger.waiting.of_workspace(workspace_id)
    return {
        "workspace_id": workspace_id,
        "since_ms": since_ms,
        "stored": _stored(of_client),
        "refused": _refused(of_client),
        "waiting_chunks": waiting.chunks if waiting else None,
        "oldest_seconds": waiting.oldest_seconds if waiting else None,
    }


def _used(workspace_id: str) -> tuple[int, list[Usage] | None]:
    """The start of the day, and what the workspace sent on it; None if a store is away."""
    day = today()
    resources = current_resources()
    since_ms = (day - type(day)(1970, 1, 1)).days * MS_PER_DAY
    with suppress(BrokerError, StorageError):
        counters = usage_counters(resources.ledger)
        return since_ms, counters.read(resources.clickhouse, workspace_id, day, day)
    return since_ms, None


def _stored(used: list[Usage] | None) -> list[dict[str, Any]] | None:
    if used is None:
        return None
    return _summed([each for each in used if each.outcome == STORED], ("signal",))


def _refused(used: list[Usage] | None) -> list[dict[str, Any]] | None:
    if used is None:
        return None
    found = _summed([each for each in used if each.outcome != STORED], ("signal", "outcome"))
    return [{"reason": each.pop("outcome"), **each} for each in found]


def _summed(used: list[Usage], by: tuple[str, ...]) -> list[dict[str, Any]]:
    """Usage summed over clients."""
    measures = ("records", "bytes") if by == ("signal",) else ("requests", "records", "bytes")
    sums: dict[tuple[str, ...], dict[str, Any]] = {}
    for each in used:
        about = {name: getattr(each, name) for name in by}
        found = sums.setdefault(tuple(about.values()), about | dict.fromkeys(measures, 0))
        for name in measures:
            found[name] += getattr(each, name)
    return [sums[about] for about in sorted(sums)]


def _system(found: dict[str, Any], problems: list[str]) -> dict[str, Any]:
    resources = current_resources()
    ledgers: list[LedgerState] = found["ledgers"]
    disk: Remembered[dict[str, Any]] = current_app.extensions.setdefault(
        _DISK, Remembered(_DISK_SECONDS)
    )
    return {
        "problems": problems
        + [f"ledger {each.name}: {each.problem}" for each in ledgers[1:] if each.problem],
        "queue": found["queue"],
        "ledgers": shown(ledgers),
        **_of_ledgers(resources),
        **_of_broker(resources.ledger.broker),
        "disk": disk.get(lambda: _disk(resources)),
        "flower_url": resources.settings.flower_url or None,
    }


def _of_ledgers(resources: Resources) -> dict[str, Any]:
    """What all ledgers know together."""
    brokers = [each.broker for each in resources.ledger.all]
    try:
        return {
            "counters": _counters(resources.ledger.waiting.stats().totals),
            "batches": [asdict(each) for each in recent_batches(*brokers)],
        }
    except BrokerError:
        return dict.fromkeys(("counters", "batches"))


def _of_broker(broker: Broker) -> dict[str, Any]:
    """What is in the main broker alone."""
    try:
        with broker.reading() as client:
            unfinished = client.zcard(keys.JOBS)
        return {
            "workers": [msgspec.to_builtins(each) for each in WorkerBook(broker).all()],
            "unfinished_jobs": unfinished,
            "backups": [msgspec.to_builtins(each) for each in recent_backups(broker)],
        }
    except BrokerError:
        return dict.fromkeys(("workers", "unfinished_jobs", "backups"))


def _counters(totals: Mapping[str, int]) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: {} if metric.labels else totals.get(name, 0)
        for name, metric in metrics.TOTALS.items()
    }
    for total, value in totals.items():
        name, _, signal = total.partition(":")
        if signal and isinstance(found.get(name), dict):
            found[name][signal] = value
    return found


def _disk(resources: Resources) -> dict[str, Any]:
    clickhouse = resources.clickhouse
    space = asdict(space_of(resources.settings, resources.ledger.broker, clickhouse))
    del space["short"]
    size = found = None
    with suppress(StorageError):
        size = disk_size(clickhouse)
        found = [asdict(each) for each in SizeReader(clickhouse, resources.settings).by_table()]
    return {**space, "clickhouse_size": size, "tables": found}
