"""`sheaf backup`, `sheaf restore` and `sheaf verify`."""

from __future__ import annotations

import secrets
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from access.audit import AuditError
from cli.acts import Acts
from cli.errors import StartError
from cli.folder import claim
from cli.servers import own_servers
from config import logging
from config.units import MIB
from ledger.ledger import BrokerError
from ledger.ledgers import open_ledgers
from storage.backup.place import BackupError, BackupPlace, place_of
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import StorageError
from tasks.backup.make import BackupMaker, back_up
from tasks.backup.manifest import FILE, Manifest
from tasks.backup.restore import Restorer, check_files, chosen

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator

    from config.settings import Settings

_PAUSE_SECONDS = 0.2
_PATIENCE_SECONDS = 24 * 3600.0
"""For checking a table, which may be large."""

_ERRORS = (BackupError, BrokerError, StorageError, StartError, AuditError, OSError)


def make(settings: Settings, options: Namespace) -> int:
    """Make a backup of the running system; returns the exit code."""
    logging.configure(settings)
    ledger, clickhouse = open_ledgers(settings), Clickhouse(settings)
    try:
        place = place_of(settings, options.place)
        Acts(ledger.broker, clickhouse).record("backup.make", "", {"place": place.text})
        maker = BackupMaker(settings, ledger, clickhouse, place)
        made = back_up(
            maker, full=options.full, pause=lambda: time.sleep(_PAUSE_SECONDS), go_on=lambda: None
        )
    except _ERRORS as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        clickhouse.close()
        ledger.close()
    print(f"{place.text}/{made.name}: {_summary(made)}")
    return 0


def restore(settings: Settings, options: Namespace) -> int:
    """Restore a backup into an empty system that does not run; returns the exit code."""
    logging.configure(settings)
    try:
        settings, place, wanted = _source(settings, options.source)
        check_files(place, wanted)
        with ExitStack() as stack:
            if settings.embedded_clickhouse or settings.embedded_valkey:
                stack.enter_context(claim(settings.data_dir))
            reached = stack.enter_context(own_servers(settings))
            ledger = open_ledgers(reached.model_copy(update={"broker_timeout": 60.0}))
            stack.callback(ledger.close)
            clickhouse = stack.enter_context(_patient(reached))
            restorer = Restorer(reached, clickhouse, place, wanted)
            restorer.check_possible(ledger, new_secret=options.new_secret)
            counted = restorer.restore(ledger)
            about = {"place": place.text, "backup": wanted.name}
            Acts(ledger.broker, clickhouse).record("backup.restore", "", about)
    except _ERRORS as error:
        print(error, file=sys.stderr)
        return 1
    print(
        f"{wanted.rows:,} rows restored; {counted.records:,} records wait to be stored, "
        f"{counted.dead_letters:,} dead letters. Start Sheaf now."
    )
    return 0


def verify(settings: Settings, options: Namespace) -> int:
    """Check a backup; returns the exit code."""
    logging.configure(settings)
    try:
        settings, place, wanted = _source(settings, options.source)
        check_files(place, wanted)
        if not options.quick:
            _check_tables(settings, place, wanted)
    except _ERRORS as error:
        print(error, file=sys.stderr)
        return 1
    how = "its files are there" if options.quick else "it can be restored"
    print(f"{place.text}/{wanted.name}: {_summary(wanted)}; {how}")
    return 0


def _check_tables(settings: Settings, place: BackupPlace, wanted: Manifest) -> None:
    """Restore the tables into a separate database; an embedded server is started for it."""
    with ExitStack() as stack:
        if settings.embedded_clickhouse:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="sheaf-verify-"))
            settings = settings.model_copy(update={"data_dir": Path(folder)})
        reached = stack.enter_context(own_servers(settings, ("clickhouse",)))
        clickhouse = stack.enter_context(_patient(reached, "system"))
        restorer = Restorer(reached, clickhouse, place, wanted)
        restorer.check_tables(f"sheaf_verify_{secrets.token_hex(8)}", print)


def _source(settings: Settings, text: str) -> tuple[Settings, BackupPlace, Manifest]:
    """Settings that reach a backup, the place where it is, and its manifest."""
    text = (text or settings.backup_to or str(settings.backups_folder)).rstrip("/")
    above, _, name = text.rpartition("/")
    if not text.startswith("s3://") and not Path(text).is_dir():
        raise BackupError(f"{text} is not a folder.")
    for where, which in ((above, name), (text, "")):
        if not where.removeprefix("s3:").strip("/"):
            continue
        moved = settings.model_copy(update={"backup_to": _absolute(where)})
        place = place_of(moved, moved.backup_to)
        if not which or place.has(f"{which}/{FILE}"):
            return moved, place, chosen(place, which)
    raise BackupError(f"There is no backup in {text}.")


def _absolute(text: str) -> str:
    return text if text.startswith("s3://") else str(Path(text).absolute())


@contextmanager
def _patient(settings: Settings, database: str | None = None) -> Iterator[Clickhouse]:
    """A connection that waits for long queries."""
    longer = settings.model_copy(update={"query_max_seconds": _PATIENCE_SECONDS})
    clickhouse = Clickhouse(longer, database=database)
    try:
        yield clickhouse
    finally:
        clickhouse.close()


def _summary(made: Manifest) -> str:
    size = (made.own_bytes + made.ledger.bytes) / MIB
    kind = f"added to {made.base}" if made.base else "full"
    return (
        f"{made.rows:,} rows, {made.ledger.records:,} waiting records, "
        f"{made.ledger.dead_letters:,} dead letters, {size:,.1f} MiB, {kind}"
    )
