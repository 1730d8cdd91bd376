"""Watches the free space of the stores; below a mark, the door refuses requests."""

import threading
from collections.abc import Callable

import structlog

from config.settings import Settings
from ingest.status import Reason, RefusedError
from ledger.broker import Broker, BrokerError
from ledger.space import BROKER, CLICKHOUSE, BrokerShortError, check_disk, check_memory
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import StorageError
from storage.clickhouse.space import NoSpaceError, check_space

log = structlog.get_logger(__name__)

_LOOK_SECONDS = 0.5
_RETRY_SECONDS = 10.0


class SpaceWatch:
    """Knows which store is short of space, no older than a second while it answers.

    While ClickHouse is away, what it last said holds. Each store is watched in its own thread,
    because one that is away may take long to say so.
    """

    def __init__(self, settings: Settings, broker: Broker, clickhouse: Clickhouse) -> None:
        """Compare with the marks of `settings`."""
        self._settings = settings
        self._broker = broker
        self._clickhouse = clickhouse
        self._shortages: dict[str, str] = {}
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, args=(look,), name="space", daemon=True)
            for look in (self.look_at_broker, self.look_at_clickhouse)
        ]

    def start(self) -> None:
        """Look twice a second from now on."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()

    def check(self) -> None:
        """Let a request pass.

        Raises:
            RefusedError: a store is short of space.
        """
        if refusal := self.refusal():
            raise refusal

    def refusal(self) -> RefusedError | None:
        """The refusal while a store is short of space, else None."""
        # Copied: the threads change it.
        texts = list(dict(self._shortages).values())
        if not texts:
            return None
        text = f"{'; '.join(texts)}. Nothing is accepted until then; try again later"
        return RefusedError(Reason.OVERLOADED, text, retry_after=_RETRY_SECONDS)

    def look_at_broker(self) -> None:
        """Look at the broker now."""
        try:
            check_disk(self._settings)
            # Otherwise the door stores directly while the broker's memory is full.
            # Of several ledgers, a full one refuses only its own workspaces.
            several = len(self._settings.ledger_addresses) > 1
            if not (self._settings.direct_inserts or several):
                check_memory(self._broker)
        except BrokerShortError as error:
            self._note(BROKER, str(error))
        except BrokerError as error:
            log.debug("space: the broker cannot be asked", error=str(error))
            self._note(BROKER, "")
        else:
            self._note(BROKER, "")

    def look_at_clickhouse(self) -> None:
        """Look at ClickHouse now."""
        try:
            check_space(self._clickhouse, self._settings.disk_min_free)
        except NoSpaceError as error:
            self._note(CLICKHOUSE, str(error))
        except StorageError as error:
            log.debug("space: ClickHouse cannot be asked", error=str(error))
        else:
            self._note(CLICKHOUSE, "")

    def _note(self, store: str, text: str) -> None:
        known = self._shortages.get(store, "")
        if text:
            self._shortages[store] = text
        else:
            self._shortages.pop(store, None)
        if bool(text) != bool(known):
            event = "space: short, nothing is accepted" if text else "space: enough again"
            log.warning(event, store=store, why=text)

    def _watch(self, look: Callable[[], None]) -> None:
        while True:
            try:
                look()
            except Exception:
                # Without this thread, a shortage would not be seen, or never end.
                log.exception("space: looking failed")
            if self._stopping.wait(_LOOK_SECONDS):
                return
