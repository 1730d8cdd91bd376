"""For how many days each workspace's records are kept: its own wish, else the settings'.

The wishes are kept in the broker, `sheaf:retention`: a hash of workspace to days by signal in JSON.
"""

import math
import threading
from collections.abc import Mapping
from typing import cast

import msgspec
import structlog

from config.settings import Settings
from storage.retention import Limits
from tasks.broker import Broker, BrokerError, Script
from tasks.chunk import SIGNALS

log = structlog.get_logger(__name__)

MOST_DAYS = 3650

_KEY = "sheaf:retention"
_REFRESH_SECONDS = 2.0

Days = dict[str, int]
"""Days by signal, 0 for ever; a workspace's own wish may leave signals out."""


def default_days(settings: Settings) -> Days:
    """What holds for a workspace that says nothing.

    Days are counted whole, from midnight to midnight in UTC, so that hours become one day more
    than they fill: 72 hours after its last second, the third day after a span's own is over.
    """
    hours = settings.trace_retention_hours
    traces = min(MOST_DAYS, math.ceil(hours / 24) + 1) if hours else 0
    others = settings.retention_days
    return {signal: traces if signal == "traces" else others for signal in SIGNALS}


class RetentionBook:
    """The workspaces' wishes; any thread may use it. Every method raises the broker's errors."""

    def __init__(self, settings: Settings, broker: Broker) -> None:
        """Keep the wishes in `broker`; `settings` hold for all others."""
        self._default = default_days(settings)
        self._broker = broker
        self._wish = Script("wish")

    def own(self, workspace_id: str) -> Days:
        """What a workspace wishes itself."""
        with self._broker.reading() as client:
            packed = cast("bytes | None", client.hget(_KEY, workspace_id))
        return _unpacked(packed) if packed else {}

    def wish(self, workspace_id: str, changes: Mapping[str, int | None]) -> Days:
        """Change a workspace's wishes, None takes one back; gives those that it has then.

        Changes of different signals at the same time all hold.
        """
        pairs = ((signal, "" if days is None else days) for signal, days in changes.items())
        flat = [value for pair in pairs for value in pair]
        return _unpacked(self._broker.run(self._wish, workspace_id, *flat))

    def days(self, workspace_id: str) -> Days:
        """What holds for a workspace."""
        return self._default | self.own(workspace_id)

    def all_wishes(self) -> dict[str, Days]:
        """The wishes of all workspaces that have any."""
        with self._broker.reading() as client:
            packed = cast("dict[bytes, bytes]", client.hgetall(_KEY))
        return {workspace.decode(): _unpacked(text) for workspace, text in packed.items()}

    def limits(self) -> dict[str, Limits]:
        """What holds for all, by signal."""
        wishes = self.all_wishes()
        return {
            signal: Limits(
                self._default[signal],
                {name: days[signal] for name, days in wishes.items() if signal in days},
            )
            for signal in SIGNALS
        }


class RetentionView:
    """What a door knows of the wishes: as of some seconds ago, or when the broker was last there.

    A new wish holds for what comes in from then on: a chunk keeps what it was accepted with.
    """

    def __init__(self, settings: Settings, broker: Broker | None = None) -> None:
        """Show what `broker` holds; without one, and before the first look, only defaults."""
        self._default = default_days(settings)
        self._book = RetentionBook(settings, broker) if broker else None
        self._wishes: dict[str, Days] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="retention", daemon=True)

    def start(self) -> None:
        """Look once, if the broker is there, and then every few seconds."""
        self.refresh()
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        self._thread.join(timeout=5)

    def days(self, workspace_id: str, signal: str) -> int:
        """For how many days records that come in now are kept; asked for each chunk."""
        wishes = self._wishes.get(workspace_id)
        if wishes is not None and signal in wishes:
            return wishes[signal]
        return self._default[signal]

    def refresh(self) -> None:
        """Look now; what was seen before stays if the broker is away."""
        if self._book is None:
            return
        try:
            self._wishes = self._book.all_wishes()
        except BrokerError as error:
            log.debug("retention: cannot be seen", error=str(error))

    def _watch(self) -> None:
        while not self._stopping.wait(_REFRESH_SECONDS):
            self.refresh()


def _unpacked(text: bytes) -> Days:
    return msgspec.json.decode(text, type=Days)
