"""`sheaf ledgers`: show the ledgers, and forget one that is empty."""

import argparse
import sys
from collections.abc import Sequence

from access.audit import AuditError
from cli.acts import Acts
from config.settings import Settings
from ledger.broker import BrokerError
from ledger.ledgers import AnyLedger, Ledgers, open_ledgers
from ledger.register import forget
from ledger.states import LedgerState, states_of
from storage.clickhouse.client import Clickhouse


def run(settings: Settings, arguments: Sequence[str]) -> int:
    """Run one action and return its exit code; `arguments` are those after `ledgers`."""
    options = _parser().parse_args(arguments)
    ledger = open_ledgers(settings)
    try:
        if options.action == "forget":
            return _forget(settings, ledger, options.name)
        _list(settings, ledger)
    finally:
        ledger.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sheaf ledgers", description=__doc__)
    actions = parser.add_subparsers(required=True, dest="action", metavar="ACTION")
    actions.add_parser("list", help="print one line per ledger, the main one first")
    leave = actions.add_parser("forget", help="let REDIS_URL lack a ledger that is empty")
    leave.add_argument("name", help="as `sheaf ledgers list` prints it")
    return parser


def _list(settings: Settings, ledger: AnyLedger) -> None:
    for address, state in zip(settings.ledger_addresses, states_of(ledger), strict=True):
        print(f"{address.name}  {'open' if state.is_open else 'closed'}  {_held(state)}")


def _held(state: LedgerState) -> str:
    if state.stats is None:
        return state.problem
    stats = state.stats
    text = (
        f"{stats.waiting_chunks:,} chunks wait ({stats.waiting_bytes:,} bytes), "
        f"{stats.dead_chunks:,} dead letters"
    )
    return f"{text}; {state.problem}" if state.problem else text


def _forget(settings: Settings, ledger: AnyLedger, name: str) -> int:
    if not isinstance(ledger, Ledgers):
        print("REDIS_URL names one ledger: there is none to forget.", file=sys.stderr)
        return 1
    clickhouse = Clickhouse(settings)
    try:
        Acts(ledger.broker, clickhouse).record("ledgers.forget", "", {"ledger": name})
        forget(ledger, name)
    except (ValueError, AuditError) as error:
        print(error, file=sys.stderr)
        return 1
    except BrokerError as error:
        print(f"A ledger is unavailable: {str(error).rstrip('.')}.", file=sys.stderr)
        return 1
    finally:
        clickhouse.close()
    print(f"{name} is empty and forgotten: take it out of REDIS_URL of all processes.")
    return 0
