"""Refusals before a request is decoded: too large, no room, door stopping."""

import threading

from config.settings import Settings
from ingest.commit.backlog import Backlog
from ingest.commit.gate import Gate
from ingest.commit.space import SpaceWatch
from ingest.status import too_large, unavailable
from ledger.ledgers import AnyLedger
from ledger.limits import LimitView
from ledger.waiting import LedgerStats


class Admission:
    """Admits requests by cheap checks; what these need is read twice a second."""

    def __init__(
        self, settings: Settings, ledger: AnyLedger, limits: LimitView, space: SpaceWatch
    ) -> None:
        """Apply the limits of `settings`, and those of workspaces; refuse while space is short."""
        self.limits = limits
        self.space = space
        self.gate = Gate()
        self.backlogs = {each.name: Backlog(each) for each in ledger.all}
        """By the name of the ledger."""
        self._taking = [self.backlogs[each.name] for each in ledger.all if each.is_open]
        self._max_request = settings.max_request_bytes
        self._stopping = threading.Event()

    def start(self) -> None:
        """Start watching the ledgers, the limits and the stores' free space."""
        self.limits.start()
        self.space.start()
        for each in self._taking:
            each.start()

    def stop(self) -> None:
        """Refuse everything from now on."""
        self.limits.stop()
        self.space.stop()
        for each in self._taking:
            each.stop()
        self._stopping.set()

    def admit(self, size: int) -> None:
        """Admit a request of `size` bytes.

        Whose records it has is known only when it is decoded. So of several ledgers, all must be
        full for a refusal here.

        Raises:
            RefusedError: it is too large, the ledger is full, a store is short of space, or the
                door is stopping.
        """
        if self._stopping.is_set():
            raise unavailable("the door is stopping; try again")
        if size > self._max_request:
            raise too_large("the request", self._max_request)
        self.space.check()
        if all(each.full for each in self._taking):
            raise self._taking[0].refusal()

    def see(self, stats: LedgerStats) -> None:
        """Use these figures for all ledgers from now on."""
        for each in self._taking:
            each.see(stats)
