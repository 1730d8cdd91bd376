"""The options of `sheaf backup`, `sheaf restore` and `sheaf verify`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Literal

from config.settings import Settings

Command = Callable[[Settings, argparse.Namespace], int]


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the three commands to those of `sheaf`."""
    backup = commands.add_parser("backup", help="back up ClickHouse and the ledger together")
    place = "a folder or s3://bucket/prefix; default: BACKUP_TO"
    backup.add_argument("place", nargs="?", default="", help=place)
    backup.add_argument("--full", action="store_true", help="do not add to an earlier backup")
    backup.set_defaults(command=_later("make"))
    source = "a backup, or where backups are: then the newest; default: BACKUP_TO"
    restore = commands.add_parser("restore", help="restore a backup into an empty system")
    restore.add_argument("source", nargs="?", default="", help=source)
    what = "accept that the backup was made with another SECRET_KEY"
    restore.add_argument("--new-secret", action="store_true", help=what)
    restore.set_defaults(command=_later("restore"))
    verify = commands.add_parser("verify", help="check that a backup can be restored")
    verify.add_argument("source", nargs="?", default="", help=source)
    what = "only look whether its files are there"
    verify.add_argument("--quick", action="store_true", help=what)
    verify.set_defaults(command=_later("verify"))


def _later(name: Literal["make", "restore", "verify"]) -> Command:
    def run(settings: Settings, options: argparse.Namespace) -> int:
        from cli import backup  # noqa: PLC0415 - `sheaf settings` needs none of what it imports

        command: Command = getattr(backup, name)
        return command(settings, options)

    return run
