"""What all doors do with a request: admit, validate, bind, commit."""

import queue
from collections.abc import Mapping

from celery import Celery

from access.principal import AccessError, Principal
from access.secret import redaction_secret
from access.store import KeyStore
from access.view import access_of
from config.settings import Settings
from ingest.commit.admission import Admission
from ingest.commit.direct import Policies
from ingest.commit.gate import LimitReachedError
from ingest.commit.group import Receipt, Settle
from ingest.commit.lanes import Parts, lanes_of, router_of, stop_all
from ingest.commit.space import SpaceWatch
from ingest.convert.piece import Pieces
from ingest.status import Reason, RefusedError, denied, unavailable
from ingest.tenant import Sender, sender_of
from ledger.ledgers import open_ledgers
from ledger.limits import LimitView
from ledger.redaction import RedactionView
from ledger.retention import RetentionView
from ledger.usage import Refusals, UsageCounters
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.insert import Inserter
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
        self.ledger = open_ledgers(settings)
        self.clickhouse = Clickhouse(settings)
        self._inserter = Inserter(settings)
        self._retention = RetentionView(settings, self.ledger.broker)
        self._redaction = RedactionView(
            redaction_secret(settings), self.ledger.broker, self.clickhouse
        )
        limits = LimitView(self.ledger.broker, self.clickhouse)
        self.access = access_of(settings, KeyStore(settings, self.ledger.broker, self.clickhouse))
        space = SpaceWatch(settings, self.ledger.broker, self.clickhouse)
        self.admission = Admission(settings, self.ledger, limits, space)
        self._refusals = Refusals(UsageCounters(self.ledger.broker))
        self._announcer = Announcer(app)
        parts = Parts(
            settings=settings,
            ledger=self.ledger,
            clickhouse=self.clickhouse,
            inserter=self._inserter,
            policies=Policies(self._retention, self._redaction, limits),
            admission=self.admission,
            announcer=self._announcer,
        )
        self._lanes = lanes_of(parts)
        self._binder = router_of(self.ledger, self._lanes)
        self._patience = 2 * settings.broker_timeout + settings.insert_timeout + 10

    def start(self) -> None:
        """Start the threads."""
        for part in (
            self.admission,
            self.access,
            self._redaction,
            self._retention,
            self._announcer,
            self._refusals,
        ):
            part.start()
        for lane in self._lanes:
            lane.start()

    def stop(self) -> None:
        """Finish and answer what was submitted, then close, in the order of the write path."""
        self.admission.stop()
        stop_all(self._lanes)
        for part in (
            self._announcer,
            self._refusals,
            self._retention,
            self._redaction,
            self.access,
        ):
            part.stop()
        for connection in (self._inserter, self.clickhouse, self.ledger):
            connection.close()

    def principal(self, headers: Mapping[str, str]) -> Principal:
        """Who sends a request with these headers, or gRPC metadata, in lower case.

        Raises:
            RefusedError: there is no valid key.
        """
        try:
            return self.access.principal(headers.get("authorization", ""))
        except AccessError as error:
            raise denied(error) from None

    def sender(self, headers: Mapping[str, str]) -> Sender:
        """Who sends records, and whose they may be.

        Raises:
            RefusedError: there is no valid key with the scope `ingest`, or the headers name a
                tenant that the key is not bound to.
        """
        principal = self.principal(headers)
        try:
            principal.check("ingest")
        except AccessError as error:
            raise denied(error) from None
        return sender_of(principal, headers)

    def check_limits(self, sender: Sender) -> None:
        """Let a request pass, before it is read.

        Raises:
            RefusedError: its workspace has used up a limit.
        """
        self.admission.gate.check(sender.tenant.workspace_id)

    def refused(
        self, signal: str, sender: Sender | None, refusal: RefusedError, records: int, size: int
    ) -> None:
        """Count a refused request, if it is known who sent it.

        Args:
            signal: its signal.
            sender: who sent it.
            refusal: why it was refused.
            records: how many it has, as far as that is known.
            size: its uncompressed bytes, as far as they are known.
        """
        if sender is None:
            return
        workspace_id, client_id = sender.tenant
        if isinstance(refusal, LimitReachedError) and refusal.workspace_id != workspace_id:
            # Its resources name another workspace, whose clients share the limit.
            workspace_id, client_id = refusal.workspace_id, ""
        self._refusals.add(
            (workspace_id, client_id, signal, refusal.outcome),
            requests=1,
            records=records,
            size=size,
        )

    def accepted(self, signal: str, sender: Sender, rejected: int) -> None:
        """Count the records of an accepted request that were refused."""
        if rejected:
            about = (*sender.tenant, signal, Reason.INVALID.value)
            self._refusals.add(about, records=rejected)

    def require_everywhere(self, headers: Mapping[str, str]) -> None:
        """Require a key with the scope `read` for all workspaces.

        Raises:
            RefusedError: there is no such key.
        """
        principal = self.principal(headers)
        try:
            principal.check("read")
            principal.check_everywhere()
        except AccessError as error:
            raise denied(error) from None

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
