"""Several ledgers, each in a separate broker; each workspace has one of them."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from config.settings import Settings
from ledger.broker import Broker, BrokerError
from ledger.choice import chosen
from ledger.ledger import Ledger
from ledger.receipts import ReceiptStatus, combined
from ledger.waiting import LedgerStats, Waiting, WorkspaceWaiting, added

Part = TypeVar("Part")
Answer = TypeVar("Answer")


class Ledgers:
    """All ledgers. Where one ledger is enough, a :class:`~ledger.ledger.Ledger` is used instead.

    It has what is asked of all of them together. Every method may raise BrokerError.

    Attributes:
        all: the ledgers; the first is in the main broker.
        waiting: the chunks that wait in any of them.
        receipts: the state of requests and chunks, wherever they are.
    """

    def __init__(self, ledgers: Sequence[Ledger]) -> None:
        """Use these ledgers; each has another name."""
        self.all = tuple(ledgers)
        self.waiting = AllWaiting([each.waiting for each in ledgers])
        self.receipts = AllReceipts(ledgers)
        self._by_name = {each.name: each for each in ledgers}
        self._open = tuple(each.name for each in ledgers if each.is_open)

    @property
    def broker(self) -> Broker:
        """The main broker: what is not by workspace is there."""
        return self.all[0].broker

    def of(self, workspace_id: str) -> Ledger:
        """The ledger that a workspace's chunks go to."""
        return self._by_name[chosen(workspace_id, self._open)]

    def close(self) -> None:
        """Close the connections."""
        for each in self.all:
            each.close()


AnyLedger = Ledger | Ledgers
"""One ledger, or several."""


def open_ledgers(settings: Settings) -> AnyLedger:
    """The ledger of the settings, or all of them."""
    addresses = settings.ledger_addresses
    if len(addresses) == 1:
        return Ledger(settings)
    return Ledgers(
        [
            Ledger(
                settings,
                Broker(settings, each.url),
                each.name,
                is_open=each.is_open,
                is_closing=each.is_closing,
            )
            for each in addresses
        ]
    )


class AllWaiting:
    """The chunks that wait in any ledger; like :class:`~ledger.waiting.Waiting`."""

    def __init__(self, parts: Sequence[Waiting]) -> None:
        """Add up `parts`."""
        self._parts = parts

    def stats(self) -> LedgerStats:
        """How much waits in all."""
        return added(part.stats(exact=True) for part in self._parts)

    def of_workspace(self, workspace_id: str) -> WorkspaceWaiting:
        """How much of one workspace waits for a batch, also where it went before."""
        found = [part.of_workspace(workspace_id) for part in self._parts]
        return WorkspaceWaiting(
            sum(each.chunks for each in found), max(each.oldest_seconds for each in found)
        )

    def overdue(self, seconds: float) -> int:
        """The number of due batches and long open chunks, in the ledgers that answer."""
        return sum(answers(lambda part: part.overdue(seconds), self._parts))

    def newest_ms(self) -> int:
        """When the newest of the waiting chunks was accepted, in Unix ms; 0 if none waits."""
        return max(part.newest_ms() for part in self._parts)

    def count_until(self, until_ms: int) -> int:
        """The number of waiting chunks that were accepted until then."""
        return sum(part.count_until(until_ms) for part in self._parts)

    def ids(self) -> list[str]:
        """Ids of all waiting chunks; rows of some may already be in ClickHouse."""
        return [chunk_id for part in self._parts for chunk_id in part.ids()]


class AllReceipts:
    """Receipts, wherever their chunks are."""

    def __init__(self, ledgers: Sequence[Ledger]) -> None:
        """Look into these ledgers."""
        self._ledgers = ledgers

    def status(self, receipt: str) -> ReceiptStatus | None:
        """The state of a receipt's chunks; None if the receipt is unknown or has expired.

        Raises:
            BrokerError: a ledger that may have some of them did not answer.
        """
        found: list[ReceiptStatus] = []
        away: BrokerError | None = None
        for each in self._ledgers:
            try:
                status = each.receipts.status(receipt)
            except BrokerError as error:
                away = error
                continue
            if status:
                found.append(status)
        # A single chunk is in one ledger; a list is in each that has some of its chunks.
        if away and all(status.is_list for status in found):
            raise away
        return combined(found)


def answers(ask: Callable[[Part], Answer], parts: Iterable[Part]) -> list[Answer]:
    """What the parts answer, without those whose broker does not.

    Raises:
        BrokerError: none does.
    """
    found: list[Answer] = []
    away: BrokerError | None = None
    for part in parts:
        try:
            found.append(ask(part))
        except BrokerError as error:
            away = error
    if away and not found:
        raise away
    return found
