"""`sheaf keys`: make, list, rotate and revoke keys."""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from access.audit import AuditError
from access.key import Key, now_ms
from access.principal import SCOPES
from access.store import Grant, KeyStore
from cli.acts import Acts
from config.settings import Settings
from config.units import MS_PER_DAY, MS_PER_S, S_PER_DAY
from ledger.broker import Broker
from ledger.shared import SharedError
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.sql import TENANT_ID

_AUTHOR = "sheaf keys"
_MOST_DAYS = 3650
_MOST_OVERLAP = 30 * S_PER_DAY


def run(settings: Settings, arguments: Sequence[str]) -> int:
    """Run one action and give its exit code; `arguments` are what follows `keys`."""
    options = _parser().parse_args(arguments)
    broker, clickhouse = Broker(settings), Clickhouse(settings)
    try:
        store = KeyStore(settings, broker, clickhouse)
        code: int = options.act(store, Acts(broker, clickhouse), options)
    except (SharedError, AuditError) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        clickhouse.close()
        broker.close()
    return code


def first_key(settings: Settings) -> str:
    """Make an admin key for all workspaces if there is no key yet; empty if there is one.

    Raises:
        SharedError: the stores cannot be asked, or written.
        AuditError: this cannot be recorded.
    """
    if settings.auth != "keys" or settings.sheaf_admin_key:
        return ""
    broker, clickhouse = Broker(settings), Clickhouse(settings)
    try:
        store = KeyStore(settings, broker, clickhouse)
        if store.all():
            return ""
        grant = Grant(("admin",), "first key")
        Acts(broker, clickhouse).record("keys.create", "", _details(grant))
        return store.create(grant, "sheaf run")[0]
    finally:
        clickhouse.close()
        broker.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sheaf keys", description=__doc__)
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    create = actions.add_parser("create", help="make a key and print it, once")
    create.add_argument(
        "--scope", action="append", required=True, choices=SCOPES, help="may be repeated"
    )
    create.add_argument("--name", default="", help="what people call it")
    create.add_argument("--workspace", type=_tenant, help="bind it to one workspace; default: all")
    create.add_argument("--client", type=_tenant, help="bind it to one client of the workspace")
    create.add_argument("--days", type=_days, help="days until it expires; default: never")
    create.set_defaults(act=_create)
    listing = actions.add_parser("list", help="print a line a key, newest first")
    listing.set_defaults(act=_list)
    rotate = actions.add_parser("rotate", help="make a successor; the old key stays valid a while")
    rotate.add_argument("id")
    rotate.add_argument(
        "--overlap", type=_seconds, default=S_PER_DAY, metavar="SECONDS", help="default: a day"
    )
    rotate.set_defaults(act=_rotate)
    revoke = actions.add_parser("revoke", help="make keys invalid, within five seconds")
    revoke.add_argument("ids", nargs="+", metavar="id")
    revoke.set_defaults(act=_revoke)
    return parser


def _tenant(text: str) -> str:
    # An empty one, as from an unset variable of a shell, would mean all.
    if not TENANT_ID.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"must be 1 to 128 characters from A-Z a-z 0-9 . _ : -, not {text[:140]!r}"
        )
    return text


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST_DAYS):
        raise argparse.ArgumentTypeError(f"must be 1 to {_MOST_DAYS} days, not {text[:40]!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= _MOST_OVERLAP:
        raise argparse.ArgumentTypeError(f"must be 0 to {_MOST_OVERLAP} seconds, not {text[:40]!r}")
    return seconds


def _create(store: KeyStore, acts: Acts, options: argparse.Namespace) -> int:
    if options.client and not options.workspace:
        print("--client needs --workspace.", file=sys.stderr)
        return 2
    expires = now_ms() + options.days * MS_PER_DAY if options.days else 0
    scopes = tuple(dict.fromkeys(options.scope))
    grant = Grant(scopes, options.name, options.workspace or "", options.client or "", expires)
    acts.record("keys.create", grant.workspace_id, _details(grant))
    return _print_new(*store.create(grant, _AUTHOR))


def _list(store: KeyStore, _: Acts, __: argparse.Namespace) -> int:
    for key in sorted(store.all().values(), key=lambda key: -key.created_ms):
        bound = f"{key.workspace_id or '*'}/{key.client_id or '*'}"
        # A name may have characters that change a terminal.
        name = "".join(each if each.isprintable() else "?" for each in key.name)
        print(key.id, _state(key), "+".join(key.scopes), bound, name, sep="  ")
    return 0


def _rotate(store: KeyStore, acts: Acts, options: argparse.Namespace) -> int:
    key = store.find(options.id)
    if key is None:
        return _missing(options.id)
    if not key.valid_at(now_ms()):
        print(f"The key {key.id} is {key.state_at(now_ms())}: make a new one.", file=sys.stderr)
        return 1
    details = {"key_id": key.id, "overlap_seconds": options.overlap}
    acts.record("keys.rotate", key.workspace_id, details)
    return _print_new(*store.rotate(key, options.overlap, _AUTHOR))


def _revoke(store: KeyStore, acts: Acts, options: argparse.Namespace) -> int:
    code = 0
    for key_id in options.ids:
        key = store.find(key_id)
        if key is None:
            code = _missing(key_id)
        else:
            acts.record("keys.revoke", key.workspace_id, {"key_id": key_id})
            store.revoke(key)
            print(f"{key_id} is revoked.")
    return code


def _details(grant: Grant) -> dict[str, object]:
    return {
        "scopes": list(grant.scopes),
        "name": grant.name,
        "client_id": grant.client_id,
        "expires_ms": grant.expires_ms or None,
    }


def _print_new(token: str, key: Key) -> int:
    print(token)
    print(f"The key {key.id} is shown this once; keep it safe.", file=sys.stderr)
    return 0


def _missing(key_id: str) -> int:
    print(f"There is no key {key_id}.", file=sys.stderr)
    return 1


def _state(key: Key) -> str:
    if key.revoked_ms:
        return "revoked"
    if not key.expires_ms:
        return "valid"
    until = datetime.fromtimestamp(key.expires_ms / MS_PER_S, UTC).isoformat(timespec="seconds")
    return f"until {until}" if key.valid_at(now_ms()) else "expired"
