"""`sheaf limits`: show and change the limits of workspaces."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from access.audit import AuditError
from cli.acts import Acts
from config.settings import Settings
from ledger.broker import Broker
from ledger.limits import DEFAULT, FRACTIONS, LEAST, MOST, NAMES, LimitBook
from ledger.shared import SharedError
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.sql import TENANT_ID

_NONE = "none"


def run(settings: Settings, arguments: Sequence[str]) -> int:
    """Show or change limits and give the exit code; `arguments` are what follows `limits`."""
    options = _parser().parse_args(arguments)
    changes = {name: value for name, value in vars(options).items() if name in NAMES}
    broker, clickhouse = Broker(settings), Clickhouse(settings)
    try:
        book = LimitBook(broker, clickhouse)
        if changes:
            workspace_id = "" if options.workspace == DEFAULT else options.workspace
            Acts(broker, clickhouse).record("limits.change_limits", workspace_id, changes)
            book.change(options.workspace, changes)
        _show(book, options.workspace)
    except (SharedError, AuditError) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        clickhouse.close()
        broker.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sheaf limits", description=__doc__)
    parser.add_argument(
        "--workspace",
        type=_workspace,
        default=DEFAULT,
        help="default: what holds for workspaces without their own",
    )
    for name in NAMES:
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            dest=name,
            type=partial(_limit, name),
            default=argparse.SUPPRESS,
            metavar="N",
            help=f"`{_NONE}` removes it",
        )
    return parser


def _workspace(text: str) -> str:
    if text != DEFAULT and not TENANT_ID.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} must be 1 to 128 characters from A-Z a-z 0-9 . _ : -"
        )
    return text


def _limit(name: str, text: str) -> float | None:
    if text == _NONE:
        return None
    is_fraction = name in FRACTIONS
    least = 0.0 if is_fraction else LEAST.get(name, 1)
    with suppress(ValueError):
        value = float(text) if is_fraction else int(text)
        if least <= value <= MOST and value:
            return value
    kind = "a number above 0" if is_fraction else f"a whole number, at least {least},"
    raise argparse.ArgumentTypeError(f"{text!r} must be {kind} or `{_NONE}`")


def _show(book: LimitBook, workspace_id: str) -> None:
    own = book.own(workspace_id)
    held = own if workspace_id == DEFAULT else book.effective(workspace_id)
    for name in NAMES:
        value = getattr(held, name)
        note = "" if getattr(own, name) is not None or value is None else "  (of all workspaces)"
        print(f"{name}={_NONE if value is None else f'{value:,.10g}'}{note}")
