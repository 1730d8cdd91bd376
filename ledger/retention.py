"""The days that each workspace's records are kept: its override, else the settings.

Overrides are in the broker, in `sheaf:retention`: a hash of workspace to days by signal, in JSON.
"""

import math
import threading
from collections.abc import Mapping
from typing import cast

import msgspec
import structlog

from config.settings import Settings
from ledger import keys
from ledger.broker import Broker, BrokerError, Script
from ledger.chunk import SIGNALS
from storage.lifecycle.retention import RetentionLimits

log = structlog.get_logger(__name__)

MOST_DAYS = 3650

_REFRESH_SECONDS = 2.0

Days = dict[str, int]
"""Days by signal, 0 for forever; a workspace's override may leave signals out."""


def default_days(settings: Settings) -> Days:
    """The days for a workspace without overrides.

    Days are whole UTC days. Hours are rounded up to days, plus one: the third day after a span's
    own ends 72 hours after the last second of the span's day.
    """
    hours = settings.trace_retention_hours
    traces = min(MOST_DAYS, math.ceil(hours / 24) + 1) if hours else 0
    others = settings.retention_days
    return {signal: traces if signal == "traces" else others for signal in SIGNALS}


class RetentionBook:
    """The workspaces' overrides; thread-safe. Every method may raise the broker's errors."""

    def __init__(self, settings: Settings, broker: Broker) -> None:
        """Keep overrides in `broker`; `settings` apply to all other workspaces."""
        self._default = default_days(settings)
        self._broker = broker
        self._change = Script("retention")

    def overrides(self, workspace_id: str) -> Days:
        """The overrides of a workspace."""
        with self._broker.reading() as client:
            packed = cast("bytes | None", client.hget(keys.RETENTION, workspace_id))
        return _unpacked(packed) if packed else {}

    def change(self, workspace_id: str, changes: Mapping[str, int | None]) -> Days:
        """Change a workspace's overrides; None removes one. Returns all that it has then.

        Concurrent changes of different signals all take effect.
        """
        pairs = ((signal, "" if days is None else days) for signal, days in changes.items())
        flat = [value for pair in pairs for value in pair]
        return _unpacked(self._broker.run(self._change, workspace_id, *flat))

    def days(self, workspace_id: str) -> Days:
        """The days for a workspace."""
        return self._default | self.overrides(workspace_id)

    def all_overrides(self) -> dict[str, Days]:
        """The overrides of all workspaces that have any."""
        with self._broker.reading() as client:
            packed = cast("dict[bytes, bytes]", client.hgetall(keys.RETENTION))
        return {workspace.decode(): _unpacked(text) for workspace, text in packed.items()}

    def limits(self) -> dict[str, RetentionLimits]:
        """The days for all workspaces, by signal."""
        overrides = self.all_overrides()
        return {
            signal: RetentionLimits(
                self._default[signal],
                {name: days[signal] for name, days in overrides.items() if signal in days},
            )
            for signal in SIGNALS
        }


class RetentionView:
    """A door's copy of the overrides, some seconds old, or older while the broker is away.

    A new override applies to records that arrive from then on: a chunk keeps its days.
    """

    def __init__(self, settings: Settings, broker: Broker | None = None) -> None:
        """Copy the overrides in `broker`; without one, and until :meth:`start`, use defaults."""
        self._default = default_days(settings)
        self._book = RetentionBook(settings, broker) if broker else None
        self._overrides: dict[str, Days] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="retention", daemon=True)

    def start(self) -> None:
        """Refresh now, and then every few seconds."""
        self.refresh()
        self._thread.start()

    def stop(self) -> None:
        """Stop refreshing."""
        self._stopping.set()
        self._thread.join(timeout=5)

    def days(self, workspace_id: str, signal: str) -> int:
        """The days that records arriving now are kept; called for each chunk."""
        overrides = self._overrides.get(workspace_id)
        if overrides is not None and signal in overrides:
            return overrides[signal]
        return self._default[signal]

    def refresh(self) -> None:
        """Copy the overrides; if the broker is away, the copy stays as it is."""
        if self._book is None:
            return
        try:
            self._overrides = self._book.all_overrides()
        except BrokerError as error:
            log.debug("retention: cannot be refreshed", error=str(error))

    def _watch(self) -> None:
        while not self._stopping.wait(_REFRESH_SECONDS):
            self.refresh()


def _unpacked(text: bytes) -> Days:
    return msgspec.json.decode(text, type=Days)
