"""`sheaf dead-letters`: list, show, replay and drop what could not be stored."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from access.audit import AuditError
from cli.acts import Acts
from config.settings import Settings
from ledger.chunk import SIGNALS
from ledger.dead_letters.kept import DeadLetter
from ledger.dead_letters.search import DeadLetterFilter, DeadLetters, summary
from ledger.ledger import BrokerError
from ledger.ledgers import open_ledgers
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import StorageError

_LISTED = 100


def run(settings: Settings, arguments: Sequence[str]) -> int:
    """Run one action and return its exit code; `arguments` are those after `dead-letters`."""
    options = _parser().parse_args(arguments)
    ledger, clickhouse = open_ledgers(settings), Clickhouse(settings)
    try:
        acts = Acts(ledger.broker, clickhouse)
        code: int = options.act(DeadLetters(ledger, clickhouse), acts, options)
    except BrokerError as error:
        print(f"The ledger is unavailable: {str(error).rstrip('.')}.", file=sys.stderr)
        return 1
    except AuditError as error:
        print(error, file=sys.stderr)
        return 1
    except StorageError as error:
        text = str(error).rstrip(".")
        print(f"The dead letters in ClickHouse are unavailable: {text}.", file=sys.stderr)
        return 1
    finally:
        clickhouse.close()
        ledger.close()
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sheaf dead-letters", description=__doc__)
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="print one line per dead letter, newest first")
    listing.add_argument("--limit", type=int, default=_LISTED, help="default: %(default)s")
    _add_filters(listing)
    listing.set_defaults(act=_list)
    show = actions.add_parser("show", help="print one as JSON, with its records")
    show.add_argument("id")
    show.add_argument("--records", type=int, default=_LISTED, help="at most (default: %(default)s)")
    show.add_argument("--otlp", metavar="FILE", help="write its OTLP request to FILE instead")
    show.set_defaults(act=_show)
    replay = actions.add_parser("replay", help="queue some to be stored again")
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
    parser.add_argument("--workspace", default="", help="only of this workspace")
    parser.add_argument("--client", default="", help="only of this client")
    parser.add_argument("--signal", default="", choices=SIGNALS)
    parser.add_argument("--reason", default="", help="only with this text in the reason")
    parser.add_argument("--since", type=_time, default=0.0, metavar="TIME", help="ISO 8601, UTC")
    parser.add_argument("--until", type=_time, default=float("inf"), metavar="TIME")


def _time(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _filters(options: argparse.Namespace) -> DeadLetterFilter:
    return DeadLetterFilter(
        options.workspace,
        options.client,
        options.signal,
        options.reason,
        options.since,
        options.until,
    )


def _list(dead_letters: DeadLetters, _: Acts, options: argparse.Namespace) -> int:
    page = dead_letters.page(_filters(options), options.limit)
    for letter in page.letters:
        header = letter.header
        dead_at = datetime.fromtimestamp(letter.dead_at, UTC).isoformat(timespec="seconds")
        tenant = f"{header.workspace_id}/{header.client_id}"
        print(letter.id, dead_at, header.signal, tenant, header.records, letter.reason, sep="  ")
    if page.after:
        print(f"There are more than {options.limit}: see --limit.", file=sys.stderr)
    return 0


def _show(dead_letters: DeadLetters, _: Acts, options: argparse.Namespace) -> int:
    letter = _found(dead_letters, options.id)
    if letter is None:
        return 1
    if options.otlp:
        payload = dead_letters.otlp(letter)
        if payload is None:
            print(f"The bytes of {letter.id} are damaged.", file=sys.stderr)
            return 1
        Path(options.otlp).write_bytes(payload)
        return 0
    shown = summary(letter) | {"content": dead_letters.records(letter, options.records)}
    print(json.dumps(shown, indent=2, ensure_ascii=False, default=str))
    return 0


def _replay(dead_letters: DeadLetters, acts: Acts, options: argparse.Namespace) -> int:
    if not _is_clear(options):
        return 2
    if options.all:
        acts.record("dead-letters.replay_matching", options.workspace, _details(options))
        print(f"{dead_letters.replay_all(_filters(options))} wait to be stored again")
        return 0
    letters = _recorded(dead_letters, acts, "dead-letters.replay", options.ids)
    replayed = sum(dead_letters.replay(letter) for letter in letters if letter)
    print(f"{replayed} wait to be stored again")
    return 0 if replayed == len(letters) else 1


def _is_clear(options: argparse.Namespace) -> bool:
    """Whether the options have either ids or `--all`."""
    if bool(options.ids) != options.all:
        return True
    print("Give either the ids of dead letters or --all.", file=sys.stderr)
    return False


def _drop(dead_letters: DeadLetters, acts: Acts, options: argparse.Namespace) -> int:
    if not _is_clear(options):
        return 2
    if options.all:
        acts.record("dead-letters.drop_matching", options.workspace, _details(options))
        print(f"{dead_letters.drop_all(_filters(options))} dropped")
        return 0
    letters = _recorded(dead_letters, acts, "dead-letters.drop", options.ids)
    dropped = sum(dead_letters.drop(letter) for letter in letters if letter)
    print(f"{dropped} dropped")
    return 0 if dropped == len(letters) else 1


def _details(options: argparse.Namespace) -> dict[str, object]:
    """The filters that are given, for the audit log."""
    filters, unset = asdict(_filters(options)), asdict(DeadLetterFilter())
    return {name: value for name, value in filters.items() if value != unset[name]}


def _recorded(
    dead_letters: DeadLetters, acts: Acts, action: str, ids: Sequence[str]
) -> list[DeadLetter | None]:
    """The dead letters, after it is recorded what is done to each that exists."""
    letters = [_found(dead_letters, each) for each in ids]
    for letter in filter(None, letters):
        acts.record(action, letter.header.workspace_id, {"chunk_id": letter.id})
    return letters


def _found(dead_letters: DeadLetters, chunk_id: str) -> DeadLetter | None:
    letter = dead_letters.one(chunk_id)
    if letter is None:
        print(f"There is no dead letter {chunk_id}.", file=sys.stderr)
    return letter
