"""What a door has stored around the ledger, and the ledger does not know yet."""

import threading
import time
from collections.abc import Mapping, Sequence

import structlog

from config.settings import Settings
from ingest.group import Group
from storage.direct_requests import DirectRequest, DirectRequests
from storage.errors import StorageError
from tasks.ledger import BrokerError, Ledger

log = structlog.get_logger(__name__)

_MOST = 400_000
"""Requests, and chunks in lists, that are kept; of more, the oldest are given up. ClickHouse knows
the requests all the same."""

_AGAIN_AFTER = 0.5
_STOP_WITHIN = 3.0
_LOOK_WITHIN = 1.0


class Untold:
    """Tells the ledger: at once if it can, else in a thread of its own, as soon as it can.

    Whenever the broker may have been away, what other doors have left in ClickHouse is told too:
    they may have died with what they knew.
    """

    def __init__(self, settings: Settings, ledger: Ledger, requests: DirectRequests) -> None:
        """Tell `ledger`; `requests` is where doors leave what they could not tell."""
        self._window = max(settings.request_window, settings.receipt_window)
        self._ledger = ledger
        self._requests = requests
        self._stored: list[DirectRequest] = []
        self._lists: dict[str, Sequence[str]] = {}
        self._listed = 0
        self._holding = threading.Lock()
        self._telling = threading.Lock()
        self.connects = 0
        """As of when others' notes were looked for, by the count of `Broker.connects`."""
        self._look = threading.Event()
        self._looked = threading.Event()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="untold", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Tell what is left, if the broker comes to hear it within three seconds; then end."""
        self._stopping.set()
        self._wake.set()
        self._thread.join(timeout=_STOP_WITHIN)
        deadline = time.monotonic() + _STOP_WITHIN
        while not self.tell() and time.monotonic() < deadline:
            time.sleep(0.1)

    def add(
        self, stored: Sequence[DirectRequest] = (), lists: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """Keep stored requests, and receipts with the chunks that they stand for."""
        with self._holding:
            self._stored += stored
            self._list(lists or {})
            self._trim()
        self._wake.set()

    def tell(self) -> bool:
        """Tell the ledger all; False if it cannot be told now."""
        if not (self._stored or self._lists or self._telling.locked()):
            return True
        with self._telling:
            with self._holding:
                stored, self._stored = self._stored, []
                lists, self._lists, self._listed = self._lists, {}, 0
            try:
                self._ledger.receipts.note(stored, lists)
            except BrokerError as error:
                log.debug("untold: cannot be told", error=str(error))
                self._put_back(stored, lists)
                return False
        return True

    def catch_up(self) -> None:
        """When the broker may have been away: tell the ledger what was stored around it.

        That is what this door knows, and what any door left in ClickHouse, if that answers soon.
        """
        try:
            self.connects = self._ledger.broker.connects()
        except BrokerError:
            return
        self.tell()
        self._looked.clear()
        self._look.set()
        self._wake.set()
        # A ClickHouse that hangs holds no commit up for longer, and is looked at later.
        self._looked.wait(_LOOK_WITHIN)

    def answer(self, group: Group, *, at_once: bool = True) -> None:
        """Answer the requests of a group whose receipts stand for several chunks."""
        completed = list(group.completed())
        if not completed:
            return
        receipts = [submission.receipt for submission in completed]
        self.add(lists={str(receipt): receipt.several for receipt in receipts})
        if at_once:
            self.tell()
        for submission, receipt in zip(completed, receipts, strict=True):
            submission.settle(receipt)

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
            # Without this thread, what the door knows would die with it.
            log.exception("untold: failed")
            return False

    def _up_to_date(self) -> bool:
        told = self.tell()
        if self._look.is_set():
            self._look.clear()
            if not self._told_for_others():
                self._look.set()
                told = False
            self._looked.set()
        return told

    def _told_for_others(self) -> bool:
        try:
            found = self._requests.newest(time.time() - self._window)
            self._ledger.receipts.note(found, {})
        except (StorageError, BrokerError) as error:
            log.debug("untold: cannot be looked for", error=str(error))
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
        del self._stored[:-_MOST]
        while self._listed > _MOST:
            self._listed -= len(self._lists.pop(next(iter(self._lists))))
