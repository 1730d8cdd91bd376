"""`sheaf dead-letters`: list, show, replay and drop what could not be stored."""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from config.settings import Settings
from tasks.chunk import SIGNALS
from tasks.dead_letters import DeadLetter, DeadLetters, Filters, summary
from tasks.ledger import BrokerError, Ledger

_LISTED = 100


def run(settings: Settings, arguments: Sequence[str]) -> int:
    """Run one action and give its exit code; `arguments` are what follows `dead-letters`."""
    options = _parser().parse_args(arguments)
    ledger = Ledger(settings)
    try:
        code: int = options.act(DeadLetters(ledger), options)
    except BrokerError as error:
        print(f"The ledger cannot be asked: {error}.", file=sys.stderr)
        return 1
    finally:
        ledger.close()
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sheaf dead-letters", description=__doc__)
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="print a line a dead letter, newest first")
    listing.add_argument("--limit", type=int, default=_LISTED, help="most lines (%(default)s)")
    _add_filters(listing)
    listing.set_defaults(act=_list)
    show = actions.add_parser("show", help="print one as JSON, with its records")
    show.add_argument("id")
    show.add_argument("--records", type=int, default=_LISTED, help="most records (%(default)s)")
    show.add_argument("--otlp", metavar="FILE", help="write its OTLP export request there instead")
    show.set_defaults(act=_show)
    replay = actions.add_parser("replay", help="put some back among what waits to be stored")
    replay.add_argument("ids", nargs="*", metavar="id")
    replay.add_argument("--all", action="store_true", help="all that match, instead of ids")
    _add_filters(replay)
    replay.set_defaults(act=_replay)
    drop = actions.add_parser("drop", help="delete some for good")
    drop.add_argument("ids", nargs="*", metavar="id")
    drop.add_argument("--all", action="store_true", help="all that match, instead of ids")
    _add_filters(drop)
    drop.set_defaults(act=_drop)
    return parser


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workspace", default="", help="of this workspace")
    parser.add_argument("--client", default="", help="of this client")
    parser.add_argument("--signal", default="", choices=SIGNALS)
    parser.add_argument("--reason", default="", help="with this text in the reason")
    parser.add_argument("--since", type=_time, default=0.0, metavar="TIME", help="ISO 8601, UTC")
    parser.add_argument("--until", type=_time, default=float("inf"), metavar="TIME")


def _time(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _filters(options: argparse.Namespace) -> Filters:
    return Filters(
        options.workspace,
        options.client,
        options.signal,
        options.reason,
        options.since,
        options.until,
    )


def _list(shelf: DeadLetters, options: argparse.Namespace) -> int:
    page = shelf.page(_filters(options), options.limit)
    for letter in page.letters:
        header = letter.header
        buried = datetime.fromtimestamp(letter.buried_at, UTC).isoformat(timespec="seconds")
        tenant = f"{header.workspace_id}/{header.client_id}"
        print(letter.id, buried, header.signal, tenant, header.records, letter.reason, sep="  ")
    if page.after:
        print(f"There are more than {options.limit}: see --limit.", file=sys.stderr)
    return 0


def _show(shelf: DeadLetters, options: argparse.Namespace) -> int:
    letter = _found(shelf, options.id)
    if letter is None:
        return 1
    if options.otlp:
        payload = shelf.otlp(letter)
        if payload is None:
            print(f"The bytes of {letter.id} are damaged.", file=sys.stderr)
            return 1
        Path(options.otlp).write_bytes(payload)
        return 0
    shown = summary(letter) | {"content": shelf.records(letter, options.records)}
    print(json.dumps(shown, indent=2, ensure_ascii=False, default=str))
    return 0


def _replay(shelf: DeadLetters, options: argparse.Namespace) -> int:
    if not _is_clear(options):
        return 2
    if options.all:
        print(f"{shelf.replay_all(_filters(options))} wait to be stored again")
        return 0
    letters = [_found(shelf, each) for each in options.ids]
    replayed = sum(shelf.replay(letter) for letter in letters if letter)
    print(f"{replayed} wait to be stored again")
    return 0 if replayed == len(letters) else 1


def _is_clear(options: argparse.Namespace) -> bool:
    """Whether it says which dead letters are meant."""
    if bool(options.ids) != options.all:
        return True
    print("Give either the ids of dead letters or --all.", file=sys.stderr)
    return False


def _drop(shelf: DeadLetters, options: argparse.Namespace) -> int:
    if not _is_clear(options):
        return 2
    if options.all:
        print(f"{shelf.drop_all(_filters(options))} dropped")
        return 0
    letters = [_found(shelf, each) for each in options.ids]
    dropped = sum(shelf.drop(letter) for letter in letters if letter)
    print(f"{dropped} dropped")
    return 0 if dropped == len(letters) else 1


def _found(shelf: DeadLetters, chunk_id: str) -> DeadLetter | None:
    letter = shelf.one(chunk_id)
    if letter is None:
        print(f"There is no dead letter {chunk_id}.", file=sys.stderr)
    return letter
