"""Receipts: what became of the chunks that clients were answered for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

from config.settings import Settings
from storage.direct_requests import DirectRequest
from tasks import keys
from tasks.broker import Broker, BrokerFullError, Script

State = Literal["queued", "stored", "dead", "dropped", "unknown"]

_FROM_BAD_TO_GOOD: tuple[State, ...] = ("dead", "dropped", "unknown", "queued", "stored")
_TOLD: tuple[State, ...] = get_args(State)[:4]
_LOOK = 1000
"""Chunks that one script looks at: the broker does nothing else meanwhile."""

_TELL = 500


@dataclass(frozen=True, slots=True)
class Tally:
    """Chunks in one state."""

    chunks: int = 0
    records: int = 0
    at: float = 0.0
    """When the last of them came into this state, in Unix seconds."""

    def __add__(self, other: "Tally") -> "Tally":
        at = max(self.at, other.at)
        return Tally(self.chunks + other.chunks, self.records + other.records, at)


@dataclass(frozen=True, slots=True)
class ReceiptStatus:
    """The state of everything that a receipt stands for.

    Records are those of the chunks, which may hold other requests' as well.
    """

    tallies: Mapping[State, Tally]
    reason: str = ""
    """Why the first of the dead letters is one."""

    @property
    def state(self) -> State:
        """The worst state of its chunks: `stored` only if all of them are."""
        return next(state for state in _FROM_BAD_TO_GOOD if self.tallies[state].chunks)

    @property
    def rows(self) -> int:
        """Records that are stored."""
        return self.tallies["stored"].records

    @property
    def records(self) -> int:
        """Records in all, of chunks that anything is known of."""
        return sum(tally.records for tally in self.tallies.values())

    @property
    def at(self) -> float:
        """When the last of its chunks changed its state, in Unix seconds."""
        return max(tally.at for tally in self.tallies.values())


class Receipts:
    """The states of chunks, waiting ones and those that have left the ledger."""

    def __init__(self, settings: Settings, broker: Broker) -> None:
        """Look and note in `broker`."""
        self._settings = settings
        self._broker = broker
        self._receipt = Script("receipt")
        self._stored = Script("stored")

    def status(self, receipt: str) -> ReceiptStatus | None:
        """The state of a receipt's chunks; None if the receipt is unknown or has expired.

        Raises:
            BrokerError: the broker cannot be asked.
        """
        tallies: dict[State, Tally] = dict.fromkeys(get_args(State), Tally())
        listed, passed, reason = 1, 0, ""
        while passed < listed:
            listed, looked, found, why = self._look(receipt, passed)
            for state, tally in found.items():
                tallies[state] += tally
            passed, reason = passed + looked, reason or why
            if not looked:
                break
        if not listed and tallies["unknown"].chunks:
            return None
        if listed and tallies["queued"].chunks:
            self._keep(receipt)
        return ReceiptStatus(tallies, reason)

    def note(self, stored: Sequence[DirectRequest], lists: Mapping[str, Sequence[str]]) -> None:
        """Leave receipts of what doors stored around the ledger, and of several chunks.

        A full broker takes this too, up to 64 MiB beyond its limit. To note it twice changes
        nothing.

        Args:
            stored: requests that are in ClickHouse.
            lists: receipt → ids of the chunks that it stands for.

        Raises:
            BrokerError: some of it may not be noted.
        """
        for start in range(0, len(stored), _TELL):
            self._note(stored[start : start + _TELL], {})
        for receipt, chunk_ids in lists.items():
            self._note((), {receipt: chunk_ids})

    def _note(self, stored: Sequence[DirectRequest], lists: Mapping[str, Sequence[str]]) -> None:
        settings = self._settings
        args: list[str | int] = [keys.now_ms(), settings.receipt_window * 1000]
        args += [settings.request_window * 1000, len(stored)]
        for each in stored:
            args += [claim(each.id, each.body), each.records, int(each.at * 1000)]
        for receipt, chunk_ids in lists.items():
            args += [receipt, " ".join(chunk_ids)]
        if not self._broker.run(self._stored, *args):
            raise BrokerFullError("the broker's memory is beyond its limit")

    def _look(self, receipt: str, passed: int) -> tuple[int, int, dict[State, Tally], str]:
        answer = self._broker.run(self._receipt, receipt, passed, _LOOK)
        listed, looked, *figures, why = cast("list[int]", answer)
        found: dict[State, Tally] = {}
        for place, state in enumerate(_TOLD):
            chunks, records, ms = figures[3 * place : 3 * place + 3]
            found[state] = Tally(chunks, records, ms / 1000)
        found["unknown"] = Tally(looked - sum(tally.chunks for tally in found.values()))
        return listed, looked, found, cast("bytes", why).decode()

    def _keep(self, receipt: str) -> None:
        with self._broker.reading() as client:
            client.expire(f"sheaf:receipt:{receipt}", self._settings.receipt_window)


def claim(request_id: str, body: str) -> str:
    """A request as the scripts take it: its id, and its body's digest if a key is its identity."""
    return f"{request_id} {body}" if body else request_id
