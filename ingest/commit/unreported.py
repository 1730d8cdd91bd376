"""What a door has stored directly but not yet reported to the ledger."""

import threading
import time
from collections.abc import Mapping, Sequence

import structlog

from config.settings import Settings
from ingest.commit.group import Group
from ledger.ledger import BrokerError, Ledger
from storage.clickhouse.errors import StorageError
from storage.lifecycle.direct_requests import DirectRequest, DirectRequests

log = structlog.get_logger(__name__)

_MAX_KEPT = 400_000
"""Maximum requests, and chunks in lists, to keep; beyond it, the oldest are dropped. The requests
are also noted in ClickHouse."""

_AGAIN_AFTER = 0.5
_STOP_WITHIN = 3.0
_LOOK_WITHIN = 1.0


class Unreported:
    """Reports to the ledger: at once if possible, else from its own thread, as soon as possible.

    Whenever the broker may have been away, it also reports what other doors noted in ClickHouse:
    they may have died before they could.
    """

    def __init__(self, settings: Settings, ledger: Ledger, requests: DirectRequests) -> None:
        """Report to `ledger`; `requests` are the doors' notes in ClickHouse."""
        self._window = max(settings.request_window, settings.receipt_window)
        self._ledger = ledger
        self._requests = requests
        self._stored: list[DirectRequest] = []
        self._lists: dict[str, Sequence[str]] = {}
        self._listed = 0
        self._away = False
        self._holding = threading.Lock()
        self._reporting = threading.Lock()
        self.siblings: Mapping[str, Unreported] = {ledger.name: self}
        """Those of all ledgers, by name: a list of chunks is noted where these are."""
        self.connects = 0
        """The count of `Broker.connects` when others' notes were last read."""
        self._look = threading.Event()
        self._looked = threading.Event()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="unreported", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Report what is left, if the broker answers within seconds; then end the thread."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(timeout=_STOP_WITHIN)
        deadline = time.monotonic() + _STOP_WITHIN
        while not self.report() and time.monotonic() < deadline:
            time.sleep(0.1)

    def add(
        self, stored: Sequence[DirectRequest] = (), lists: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """Keep stored requests, and receipts with their chunks, until they are reported."""
        with self._holding:
            self._stored += stored
            self._list(lists or {})
            self._trim()
        self._wake.set()

    def report(self) -> bool:
        """Report everything to the ledger; False if it is not available now."""
        if not (self._stored or self._lists or self._reporting.locked()):
            return True
        with self._reporting:
            with self._holding:
                stored, self._stored = self._stored, []
                lists, self._lists, self._listed = self._lists, {}, 0
            try:
                self._ledger.receipts.note(stored, lists)
            except BrokerError as error:
                log.debug("unreported: not reported yet", error=str(error))
                self._put_back(stored, lists)
                self._away = True
                return False
            self._away = False
        return True

    def report_unless_away(self) -> None:
        """Like :meth:`report`, but do not wait for a broker that did not answer the last time."""
        if not self._away:
            self.report()

    def catch_up(self) -> None:
        """After the broker may have been away: report to the ledger what was stored directly.

        That is what this door knows, and what any door noted in ClickHouse, if that answers soon.
        """
        try:
            self.connects = self._ledger.broker.connects()
        except BrokerError:
            return
        self.report()
        self._looked.clear()
        self._look.set()
        self._wake.set()
        # If ClickHouse hangs, do not delay the commit any longer; the thread reads it later.
        self._looked.wait(_LOOK_WITHIN)

    def answer(self, group: Group, *, at_once: bool = True) -> None:
        """Answer the requests of a group that have receipts for several chunks."""
        completed = list(group.completed())
        if not completed:
            return
        concerned: set[str] = set()
        for submission in completed:
            for name, chunk_ids in submission.lists().items():
                self.siblings[name].add(lists={str(submission.receipt): chunk_ids})
                concerned.add(name)
        if at_once:
            for name in concerned:
                self.siblings[name].report_unless_away()
        for submission in completed:
            submission.settle(submission.receipt)

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while not self._try():
                if self._stopping.wait(_AGAIN_AFTER):
                    return
            if self._stopping.is_set():
                return

    def _try(self) -> bool:
        try:
            return self._up_to_date()
        except Exception:
            # Without this thread, what the door knows would be lost.
            log.exception("unreported: failed")
            return False

    def _up_to_date(self) -> bool:
        reported = self.report()
        if self._look.is_set():
            self._look.clear()
            if not self._report_others():
                self._look.set()
                reported = False
            self._looked.set()
        return reported

    def _report_others(self) -> bool:
        try:
            found = self._requests.newest(time.time() - self._window)
            self._ledger.receipts.note(found, {})
        except (StorageError, BrokerError) as error:
            log.debug("unreported: notes not read yet", error=str(error))
            return False
        return True

    def _put_back(self, stored: list[DirectRequest], lists: dict[str, Sequence[str]]) -> None:
        with self._holding:
            self._stored = stored + self._stored
            later, self._lists, self._listed = self._lists, {}, 0
            self._list(lists)
            self._list(later)
            self._trim()

    def _list(self, lists: Mapping[str, Sequence[str]]) -> None:
        for receipt, chunk_ids in lists.items():
            if receipt not in self._lists:
                self._listed += len(chunk_ids)
                self._lists[receipt] = chunk_ids

    def _trim(self) -> None:
        del self._stored[:-_MAX_KEPT]
        while self._listed > _MAX_KEPT:
            self._listed -= len(self._lists.pop(next(iter(self._lists))))
