"""`sheaf redaction`: show and set the rules of redaction."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from access.audit import AuditError
from cli.acts import Acts
from config.settings import Settings
from ledger.broker import Broker
from ledger.redaction import EVERYWHERE, RedactionBook
from ledger.shared import SharedError
from storage.clickhouse.client import Clickhouse
from storage.redaction.rules import Rule, RuleError


def run(settings: Settings, arguments: Sequence[str]) -> int:
    """Show or set rules and give the exit code; `arguments` are what follows `redaction`."""
    options = _parser().parse_args(arguments)
    broker, clickhouse = Broker(settings), Clickhouse(settings)
    try:
        book = RedactionBook(broker, clickhouse)
        if options.action == "set":
            rules = _read(options.file)
            workspace_id = "" if options.workspace == EVERYWHERE else options.workspace
            details = {"rules": msgspec.to_builtins(rules)}
            Acts(broker, clickhouse).record("redaction.change_rules", workspace_id, details)
            book.replace(options.workspace, rules)
        print(msgspec.json.format(msgspec.json.encode(book.own(options.workspace))).decode())
    except (AuditError, OSError, RuleError, SharedError) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        clickhouse.close()
        broker.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sheaf redaction", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    show = actions.add_parser("show", help="print the rules as JSON")
    change = actions.add_parser("set", help="replace the rules by those of a file")
    change.add_argument("file", type=Path, help="JSON as `show` prints it")
    for each in (show, change):
        each.add_argument(
            "--workspace", default=EVERYWHERE, help="default: the rules of all workspaces"
        )
    return parser


def _read(file: Path) -> list[Rule]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=list[Rule])
    except msgspec.DecodeError as error:
        text = f'{file}: {error}. Give a list such as [{{"preset": "card", "action": "mask"}}].'
        raise RuleError(text) from None
