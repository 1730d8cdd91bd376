"""Refusals before a request is decoded: too large, no room, door stopping."""

import threading

import structlog

from config.settings import MIB, Settings
from ingest.commit.gate import Gate
from ingest.commit.space import SpaceWatch
from ingest.status import Reason, RefusedError, too_large, unavailable
from ledger.ledger import BrokerError, Ledger
from ledger.limits import LimitView
from ledger.waiting import LedgerStats

log = structlog.get_logger(__name__)

_LOOK_EVERY = 0.5
_LONGEST_WAIT = 60.0

_NEARLY_FULL = 0.95
"""Share of the high-water mark. The ledger never exceeds the mark, so if requests were refused only
beyond it, each would be decoded for nothing."""


class Admission:
    """Admits requests by cheap checks; a thread reads the state of the ledger twice a second."""

    def __init__(
        self, settings: Settings, ledger: Ledger, limits: LimitView, space: SpaceWatch
    ) -> None:
        """Apply the limits of `settings`, and those of workspaces; refuse while space is short."""
        self.limits = limits
        self.space = space
        self.gate = Gate()
        self._max_request = settings.max_request_bytes
        self._max_waiting = settings.ledger_max_bytes
        self._ledger = ledger
        self._full = False
        self._oldest = 0.0
        self._dead_bytes = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="admission", daemon=True)

    def start(self) -> None:
        """Start watching the ledger, the limits and the stores' free space."""
        self.limits.start()
        self.space.start()
        self._thread.start()

    def stop(self) -> None:
        """Refuse everything from now on."""
        self.limits.stop()
        self.space.stop()
        self._stopping.set()

    def admit(self, size: int) -> None:
        """Admit a request of `size` bytes.

        Raises:
            RefusedError: it is too large, the ledger is full, a store is short of space, or the
                door is stopping.
        """
        if self._stopping.is_set():
            raise unavailable("the door is stopping; try again")
        if size > self._max_request:
            raise too_large("the request", self._max_request)
        self.space.check()
        if self._full:
            raise self.overloaded()

    def overloaded(self) -> RefusedError:
        """The refusal when the ledger is full; its delay grows with the age of the backlog.

        If dead letters hold most of it, waiting does not help, and the text asks for action.
        """
        if self._dead_bytes >= self._max_waiting / 2:
            wait, text = _LONGEST_WAIT, self._full_of_dead_letters()
        else:
            wait = min(_LONGEST_WAIT, 1.0 + self._oldest / 10)
            text = "more is waiting to be stored than the ledger may hold; try again later"
        return RefusedError(Reason.OVERLOADED, text, retry_after=wait)

    def _full_of_dead_letters(self) -> str:
        dead, most = self._dead_bytes / MIB, self._max_waiting / MIB
        return (
            f"dead letters hold {dead:,.1f} of the {most:,.1f} MiB that LEDGER_MAX_BYTES allows; "
            "replay or drop them with `sheaf dead-letters`, then try again"
        )

    def _watch(self) -> None:
        while not self._stopping.wait(_LOOK_EVERY):
            try:
                stats = self._ledger.waiting.stats()
            except BrokerError as error:
                log.debug("admission: ledger not available", error=str(error))
                self._full = False
                continue
            self.see(stats)

    def see(self, stats: LedgerStats) -> None:
        """Use these figures from now on."""
        self._dead_bytes = stats.dead_bytes
        self._oldest = stats.oldest_seconds
        kept = stats.waiting_bytes + stats.dead_bytes
        self._full = kept >= _NEARLY_FULL * self._max_waiting
