"""The way of a request through a door: admit, validate, bind, commit; the same for every door."""

import queue

from celery import Celery

from config.settings import Settings
from ingest.admission import Admission
from ingest.bind import Binder
from ingest.direct import DirectPath
from ingest.group import Receipt, Settle
from ingest.otlp import Service, cut
from ingest.piece import Pieces
from ingest.status import RefusedError, unavailable
from ingest.tenant import Tenant
from ingest.untold import Untold
from storage.client import Clickhouse
from storage.direct_requests import DirectRequests
from storage.insert import Inserter
from tasks.announce import Announcer
from tasks.ledger import Ledger
from tasks.retention import RetentionView


class Receiver:
    """All that stands behind a door. Start it before the first request, stop it after the last."""

    def __init__(self, settings: Settings, app: Celery) -> None:
        """Build the parts from `settings`; hints go through `app`."""
        self.settings = settings
        self.ledger = Ledger(settings)
        self.clickhouse = Clickhouse(settings)
        self.admission = Admission(settings, self.ledger)
        self._inserter = Inserter(settings)
        self._retention = RetentionView(settings, self.ledger.broker)
        self._untold = Untold(settings, self.ledger, DirectRequests(self.clickhouse))
        self._direct = DirectPath(
            settings, self.clickhouse, self._inserter, self._untold, self._retention
        )
        self._announcer = Announcer(app)
        self._binder = Binder(settings, self.ledger, self.admission, self._announcer, self._direct)
        self._patience = 2 * settings.broker_timeout + settings.insert_timeout + 10

    def start(self) -> None:
        """Start the threads."""
        self.admission.start()
        self._retention.start()
        self._announcer.start()
        self._untold.start()
        self._binder.start()

    def stop(self) -> None:
        """Finish and answer what was taken, then close; in the order in which records travel."""
        self.admission.stop()
        self._binder.stop()
        self._direct.stop()
        self._untold.stop()
        self._announcer.stop()
        self._retention.stop()
        self._inserter.close()
        self.clickhouse.close()
        self.ledger.close()

    def cut(self, service: Service, payload: bytes, tenant: Tenant) -> Pieces:
        """Admit an OTLP request and cut it into pieces.

        Args:
            service: the OTLP service it is for.
            payload: uncompressed protobuf bytes.
            tenant: the tenant of resources that name none.

        Raises:
            RefusedError: it is not admitted, or no such request.
        """
        self.admission.admit(len(payload))
        return cut(service, payload, tenant, self.settings.max_request_records)

    def submit(self, pieces: Pieces, settle: Settle) -> None:
        """Commit; `settle` is called with the receipt, or the refusal, when that is over."""
        self._binder.submit(pieces, settle)

    def commit(self, pieces: Pieces) -> Receipt:
        """Commit and wait for it.

        Raises:
            RefusedError: it was not accepted, or it is not known in time whether it was.
        """
        outcome: queue.SimpleQueue[Receipt | RefusedError] = queue.SimpleQueue()
        self._binder.submit(pieces, outcome.put)
        try:
            settled = outcome.get(timeout=self._patience)
        except queue.Empty:
            text = "the commit takes too long; the same request may be repeated"
            raise unavailable(text) from None
        if isinstance(settled, RefusedError):
            raise settled
        return settled
