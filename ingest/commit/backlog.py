"""How full a ledger is, looked up twice a second."""

import threading

import structlog

from config.units import MIB
from ingest.status import Reason, RefusedError
from ledger.ledger import BrokerError, Ledger
from ledger.waiting import LedgerStats

log = structlog.get_logger(__name__)

_LOOK_EVERY = 0.5
_LONGEST_WAIT = 60.0

_NEARLY_FULL = 0.95
"""Share of the high-water mark. The ledger never exceeds the mark, so if requests were refused only
beyond it, each would be decoded for nothing."""


class Backlog:
    """What a ledger held at the last look; a thread of its own looks, as a broker may hang."""

    def __init__(self, ledger: Ledger) -> None:
        """Look at `ledger` after :meth:`start`."""
        self.full = False
        """Whether it takes no more; False while its broker is away."""
        self._ledger = ledger
        self._max_waiting = ledger.max_bytes
        self._oldest = 0.0
        self._dead_bytes = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="admission", daemon=True)

    def start(self) -> None:
        """Start looking."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()

    def refusal(self) -> RefusedError:
        """The refusal when the ledger is full; its delay grows with the age of the backlog.

        If dead letters hold most of it, waiting does not help, and the text asks for action.
        """
        if self._dead_bytes >= self._max_waiting / 2:
            wait, text = _LONGEST_WAIT, self._full_of_dead_letters()
        else:
            wait = min(_LONGEST_WAIT, 1.0 + self._oldest / 10)
            text = "more is waiting to be stored than the ledger may hold; try again later"
        return RefusedError(Reason.OVERLOADED, text, retry_after=wait)

    def see(self, stats: LedgerStats) -> None:
        """Use these figures from now on."""
        self._dead_bytes = stats.dead_bytes
        self._oldest = stats.oldest_seconds
        kept = stats.waiting_bytes + stats.dead_bytes
        self.full = kept >= _NEARLY_FULL * self._max_waiting

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
                self.full = False
                continue
            self.see(stats)
