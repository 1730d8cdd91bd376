"""The state of each ledger, for health, status, metrics and `sheaf ledgers`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ledger.broker import BrokerError
from ledger.ledger import Ledger
from ledger.ledgers import AnyLedger
from ledger.space import check_memory
from ledger.waiting import LedgerStats, added

State = Literal["ok", "away", "full"]


@dataclass(frozen=True, slots=True)
class LedgerState:
    """A ledger now."""

    name: str
    is_open: bool
    """Whether doors put chunks into it."""
    state: State
    problem: str
    """A phrase that says what is wrong; empty if nothing is."""
    stats: LedgerStats | None
    """What it holds; None if it is away."""


def states_of(ledger: AnyLedger) -> list[LedgerState]:
    """The states of all ledgers, the main one first."""
    return [state_of(each) for each in ledger.all]


def state_of(ledger: Ledger) -> LedgerState:
    """The state of one ledger."""
    stats = None
    state: State = "ok"
    problem = ""
    try:
        stats = ledger.waiting.stats(exact=True)
        ledger.check_writable()
        check_memory(ledger.broker)
    except BrokerError as error:
        away = stats is None
        state = "away" if away else "full"
        problem = "the broker cannot be reached" if away else str(error).rstrip(".")
    return LedgerState(ledger.name, ledger.is_open, state, problem, stats)


def queue_of(states: Sequence[LedgerState]) -> dict[str, Any] | None:
    """What waits in the ledgers that answer; None if none does."""
    found = [each.stats for each in states if each.stats]
    if not found:
        return None
    queue = asdict(added(found))
    del queue["totals"]
    return queue


def shown(states: Sequence[LedgerState]) -> list[dict[str, Any]]:
    """Several ledgers as JSON; nothing if there is one."""
    return [_one(each) for each in states] if len(states) > 1 else []


def _one(state: LedgerState) -> dict[str, Any]:
    stats = state.stats
    return {
        "name": state.name,
        "open": state.is_open,
        "state": state.state,
        "waiting_chunks": stats and stats.waiting_chunks,
        "waiting_records": stats and stats.waiting_records,
        "waiting_bytes": stats and stats.waiting_bytes,
        "dead_chunks": stats and stats.dead_chunks,
    }
