"""What all doors do with a request: admit, validate, bind, commit."""

import queue

from celery import Celery

from config.settings import Settings
from ingest.commit.admission import Admission
from ingest.commit.bind import Binder
from ingest.commit.direct import DirectPath
from ingest.commit.group import Receipt, Settle
from ingest.commit.unreported import Unreported
from ingest.convert.piece import Pieces
from ingest.status import RefusedError, unavailable
from ledger.ledger import Ledger
from ledger.retention import RetentionView
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.insert import Inserter
from storage.lifecycle.direct_requests import DirectRequests
from tasks.hints import Announcer


class Receiver:
    """The parts behind a door. Start it before the first request, stop it after the last.

    A request passes them in this order::

        admission ─▶ (conversion) ─▶ binder ─▶ ledger ─▶ announcer ─▶ a worker
                                       └─ while the broker is away ─▶ direct path ─▶ ClickHouse
    """

    def __init__(self, settings: Settings, app: Celery) -> None:
        """Build the parts from `settings`; hints are sent through `app`."""
        self.settings = settings
        self.ledger = Ledger(settings)
        self.clickhouse = Clickhouse(settings)
        self._inserter = Inserter(settings)
        self._retention = RetentionView(settings, self.ledger.broker)
        self._unreported = Unreported(settings, self.ledger, DirectRequests(self.clickhouse))
        self._direct = DirectPath(
            settings, self.clickhouse, self._inserter, self._unreported, self._retention
        )
        self.admission = Admission(settings, self.ledger)
        self._announcer = Announcer(app)
        self._binder = Binder(settings, self.ledger, self.admission, self._announcer, self._direct)
        self._patience = 2 * settings.broker_timeout + settings.insert_timeout + 10

    def start(self) -> None:
        """Start the threads."""
        for part in (
            self.admission,
            self._retention,
            self._announcer,
            self._unreported,
            self._binder,
        ):
            part.start()

    def stop(self) -> None:
        """Finish and answer what was submitted, then close, in the order of the write path."""
        for part in (
            self.admission,
            self._binder,
            self._direct,
            self._unreported,
            self._announcer,
            self._retention,
        ):
            part.stop()
        for connection in (self._inserter, self.clickhouse, self.ledger):
            connection.close()

    def submit(self, pieces: Pieces, settle: Settle) -> None:
        """Commit; `settle` is called with the receipt or the refusal."""
        self._binder.submit(pieces, settle)

    def commit(self, pieces: Pieces) -> Receipt:
        """Commit and wait for it.

        Raises:
            RefusedError: it was not accepted, or the outcome is not known in time.
        """
        outcome: queue.SimpleQueue[Receipt | RefusedError] = queue.SimpleQueue()
        self._binder.submit(pieces, outcome.put)
        try:
            settled = outcome.get(timeout=self._patience)
        except queue.Empty:
            text = "the commit takes too long; repeat the same request"
            raise unavailable(text) from None
        if isinstance(settled, RefusedError):
            raise settled
        return settled
