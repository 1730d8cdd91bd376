"""Receipts: the state of the chunks that were acknowledged to clients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from config.settings import Settings
from ledger import keys
from ledger.broker import Broker, BrokerFullError, Script
from storage.lifecycle.direct_requests import DirectRequest

ReceiptState = Literal["queued", "stored", "dead", "dropped", "unknown"]

_FROM_BAD_TO_GOOD: tuple[ReceiptState, ...] = ("dead", "dropped", "unknown", "queued", "stored")
_KNOWN: tuple[ReceiptState, ...] = get_args(ReceiptState)[:4]
_LOOKED_UP_AT_ONCE = 1000
"""Chunks that one script looks up: the broker is blocked meanwhile."""

_NOTED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Tally:
    """Chunks in one state."""

    chunks: int = 0
    records: int = 0
    at: float = 0.0
    """When the last of them entered this state, in Unix seconds."""

    def __add__(self, other: "Tally") -> "Tally":
        at = max(self.at, other.at)
        return Tally(self.chunks + other.chunks, self.records + other.records, at)


@dataclass(frozen=True, slots=True)
class ReceiptStatus:
    """The state of a receipt's chunks.

    Counts include records of other requests in the same chunks.
    """

    tallies: Mapping[ReceiptState, Tally]
    reason: str = ""
    """The reason of the first dead letter."""
    is_list: bool = False
    """Whether it is a receipt of several chunks, of which other ledgers may have more."""

    @property
    def state(self) -> ReceiptState:
        """The worst state of its chunks: `stored` only if all are stored."""
        return next(state for state in _FROM_BAD_TO_GOOD if self.tallies[state].chunks)

    @property
    def rows(self) -> int:
        """Stored records."""
        return self.tallies["stored"].records

    @property
    def records(self) -> int:
        """All records of chunks that are not unknown."""
        return sum(tally.records for tally in self.tallies.values())

    @property
    def at(self) -> float:
        """When one of its chunks last changed its state, in Unix seconds."""
        return max(tally.at for tally in self.tallies.values())


class Receipts:
    """The states of chunks, waiting or no longer in the ledger."""

    def __init__(self, settings: Settings, broker: Broker) -> None:
        """Read and write receipts in `broker`."""
        self._settings = settings
        self._broker = broker
        self._receipt = Script("receipt")
        self._stored = Script("stored")

    def status(self, receipt: str) -> ReceiptStatus | None:
        """The state of a receipt's chunks; None if the receipt is unknown or has expired.

        Raises:
            BrokerError: the broker did not answer.
        """
        tallies: dict[ReceiptState, Tally] = dict.fromkeys(get_args(ReceiptState), Tally())
        listed, passed, reason = 1, 0, ""
        while passed < listed:
            listed, looked, found, why = self._look_up(receipt, passed)
            for state, tally in found.items():
                tallies[state] += tally
            passed, reason = passed + looked, reason or why
            if not looked:
                break
        if not listed and tallies["unknown"].chunks:
            return None
        if listed and tallies["queued"].chunks:
            self._keep(receipt)
        return ReceiptStatus(tallies, reason, bool(listed))

    def known(self, request_ids: Sequence[str]) -> dict[str, str]:
        """Which requests were accepted here: request id → chunk id, and digest if it has a key."""
        with self._broker.reading() as client:
            texts = cast("list[bytes | None]", client.mget([keys.REQUEST + r for r in request_ids]))
            found = {
                request: text.decode()
                for request, text in zip(request_ids, texts, strict=True)
                if text is not None
            }
            pipeline = client.pipeline(transaction=False)
            for text in found.values():
                pipeline.exists(keys.DROPPED + text.partition(" ")[0])
            dropped = pipeline.execute() if found else []
        return {r: text for (r, text), gone in zip(found.items(), dropped, strict=True) if not gone}

    def note(self, stored: Sequence[DirectRequest], lists: Mapping[str, Sequence[str]]) -> None:
        """Write receipts of requests that doors stored directly, and of several chunks.

        A full broker takes these too, up to 64 MiB beyond its limit. Safe to repeat.

        Args:
            stored: requests that are in ClickHouse.
            lists: receipt → ids of its chunks.

        Raises:
            BrokerError: some receipts may be missing.
        """
        for start in range(0, len(stored), _NOTED_AT_ONCE):
            self._note(stored[start : start + _NOTED_AT_ONCE], {})
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

    def _look_up(
        self, receipt: str, passed: int
    ) -> tuple[int, int, dict[ReceiptState, Tally], str]:
        answer = self._broker.run(self._receipt, receipt, passed, _LOOKED_UP_AT_ONCE)
        listed, looked, *figures, why = cast("list[int]", answer)
        found: dict[ReceiptState, Tally] = {}
        for place, state in enumerate(_KNOWN):
            chunks, records, ms = figures[3 * place : 3 * place + 3]
            found[state] = Tally(chunks, records, ms / 1000)
        found["unknown"] = Tally(looked - sum(tally.chunks for tally in found.values()))
        return listed, looked, found, cast("bytes", why).decode()

    def _keep(self, receipt: str) -> None:
        with self._broker.reading() as client:
            client.expire(keys.RECEIPT + receipt, self._settings.receipt_window)


def combined(found: Sequence[ReceiptStatus]) -> ReceiptStatus | None:
    """What several ledgers know of one receipt, as one; None: nothing.

    Each has other chunks of a list. A chunk that several know is in its worst state.
    """
    lists = [each for each in found if each.is_list]
    if not lists:
        return min(found, key=lambda each: _FROM_BAD_TO_GOOD.index(each.state), default=None)
    tallies = {
        state: sum((each.tallies[state] for each in lists), Tally())
        for state in get_args(ReceiptState)
    }
    reasons = [each.reason for each in lists if each.reason]
    return ReceiptStatus(tallies, reasons[0] if reasons else "", is_list=True)


def receipt_body(receipt: str, status: ReceiptStatus) -> dict[str, Any]:
    """A receipt as JSON: the worst state of its chunks, and the number of records by state."""
    tallies = status.tallies
    return {
        "receipt": receipt,
        "status": status.state,
        "records": status.records,
        "rows": status.rows,
        "queued": tallies["queued"].records,
        "dead": tallies["dead"].records,
        "dropped": tallies["dropped"].records,
        "unknown_chunks": tallies["unknown"].chunks,
        "at": status.at,
        "reason": status.reason or None,
    }


def claim(request_id: str, body: str) -> str:
    """A request as the scripts expect it: its id, and its body's digest if it has a key."""
    return f"{request_id} {body}" if body else request_id
