"""Restores a backup into an empty system, and checks backups."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

from access.secret import secret_fingerprint
from ledger.backup import entries
from ledger.backup import restore as ledger_part
from ledger.backup.restore import Counted
from ledger.workers import WorkerBook
from storage.backup.contents import contents_of, missing
from storage.backup.place import BackupError
from storage.backup.tables import MIGRATIONS, Tables
from storage.schema.files import migrations
from storage.schema.migrate import migrate
from storage.schema.state import SchemaError, State
from tasks.backup.manifest import FILE, LEDGER, Manifest, read_manifest
from tasks.backup.series import chain_of, finished

if TYPE_CHECKING:
    from collections.abc import Callable

    from config.settings import Settings
    from ledger.ledgers import AnyLedger
    from storage.backup.place import BackupPlace, Target
    from storage.clickhouse.client import Clickhouse

_PAUSE_SECONDS = 0.2
_MARK_MS = 3_600_000
_PIECE = 1 << 20


def chosen(place: BackupPlace, name: str) -> Manifest:
    """A backup's manifest; without a name, that of the newest backup. Raises BackupError."""
    if name:
        return read_manifest(place, name)
    found = finished(place)
    if not found:
        raise BackupError(f"There is no backup in {place.text}.")
    return found[-1]


def check_files(place: BackupPlace, wanted: Manifest) -> None:
    """Check that a backup and those that it adds to are whole, by their lists of files.

    It reads the ledger's part. Of the tables' files, it compares names and sizes.

    Raises:
        BackupError: something is missing or damaged.
    """
    chain = chain_of(finished(place), wanted.name)
    if not chain or chain[-1].base:
        lost = chain[-1].base if chain else wanted.name
        raise BackupError(f"{place.text}/{lost} is missing, and {wanted.name} needs it.")
    below = None
    for each in reversed(chain):
        contents = contents_of(place, each.name)
        if contents.sha256 != each.list_sha256:
            raise BackupError(f"{place.text}/{each.name}: ClickHouse's list of files was changed.")
        if lost_files := missing(place, each.name, contents, below):
            raise BackupError(
                f"{place.text}/{each.name} lacks {len(lost_files)} files, such as {lost_files[0]}."
            )
        below = contents
    _check_ledger(place, wanted)


def _check_ledger(place: BackupPlace, wanted: Manifest) -> None:
    path = f"{wanted.name}/{LEDGER}"
    digest = hashlib.sha256()
    with place.reading(path) as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    if digest.hexdigest() != wanted.ledger.sha256:
        raise BackupError(f"{place.text}/{path} is damaged: its SHA-256 is another.")
    counted = Counted()
    try:
        with place.reading(path) as file:
            for entry in entries.read(file):
                counted = counted.plus(entry)
    except entries.DamagedError as error:
        raise BackupError(f"{place.text}/{path}: {error}") from error
    part = wanted.ledger
    told = Counted(part.chunks, part.records, part.dead_letters, part.keys)
    if counted != told:
        raise BackupError(f"{place.text}/{path} has {counted}, and {FILE} says {told}.")


class Restorer:
    """Restores one backup. Every method raises BackupError, BrokerError or StorageError."""

    def __init__(
        self, settings: Settings, clickhouse: Clickhouse, place: BackupPlace, wanted: Manifest
    ) -> None:
        """Restore `wanted`, from `place`, through `clickhouse`."""
        self._settings = settings
        self._clickhouse = clickhouse
        self._tables = Tables(clickhouse, settings)
        self._place = place
        self._wanted = wanted

    def check_possible(self, ledger: AnyLedger, *, new_secret: bool) -> None:
        """Check that the system is empty and at rest, and fits the backup.

        Args:
            ledger: the system's ledgers.
            new_secret: allow a secret that is not that of the backup.
        """
        try:
            State(self._wanted.schema).check(migrations(), "The backup")
        except SchemaError as error:
            raise BackupError(str(error)) from error
        if self._wanted.database != self._settings.clickhouse_database:
            raise BackupError(
                f"The backup is of the database {self._wanted.database}: set "
                f"CLICKHOUSE_DATABASE={self._wanted.database}."
            )
        if self._wanted.ledger.ledgers > len(ledger.all):
            raise BackupError(
                f"The backup has {self._wanted.ledger.ledgers} ledgers, and REDIS_URL names "
                f"{len(ledger.all)}: name as many."
            )
        if workers := WorkerBook(ledger.broker).all():
            raise BackupError(
                f"Sheaf is running ({workers[0].name}): stop all of its processes but ClickHouse "
                "and the broker."
            )
        if filled := self._tables.filled():
            table, rows = next(iter(filled.items()))
            raise BackupError(
                f"This system is not empty: {table} has {rows:,} rows. Restore into an empty one."
            )
        for each in ledger.all:
            if key := ledger_part.found_in(each.broker):
                where = f"the broker {each.name}".rstrip()
                raise BackupError(
                    f"This system is not empty: {where} has {key}. Restore into an empty one."
                )
        if not new_secret and secret_fingerprint(self._settings) != self._wanted.secret:
            raise BackupError(
                "The backup was made with another SECRET_KEY: without it, its keys do not work, "
                "and redaction gives other hashes. Set that SECRET_KEY, or put the file `secret` "
                "of the old DATA_DIR into this one; or accept that with --new-secret."
            )

    def restore(self, ledger: AnyLedger) -> Counted:
        """Restore tables and ledgers; gives what is now in the ledgers."""
        self._tables.drop_empty()
        database = self._settings.clickhouse_database
        self.restore_tables(list(self._wanted.tables), database)
        migrate(self._settings)
        # What was written while the tables were backed up may be in one and not in another.
        self._tables.mark_recent(
            self._wanted.began_ms - _MARK_MS, self._settings.rollup_mark_seconds
        )
        with self._place.reading(f"{self._wanted.name}/{LEDGER}") as file:
            return ledger_part.restore([e.broker for e in ledger.all], entries.read(file))

    def restore_tables(self, names: list[str], database: str) -> None:
        """Restore tables into a database."""
        restore_id = self._tables.begin_restore(names, *self._targets(), database)
        while self._tables.progress(restore_id).state != "done":
            time.sleep(_PAUSE_SECONDS)

    def check_tables(self, database: str, say: Callable[[str], None]) -> None:
        """Restore each table into a separate database, and check and count its rows there.

        Args:
            database: a name that is not in use; the database is dropped in the end.
            say: takes a line for each table.
        """
        tables = self._tables
        tables.create_database(database)
        try:
            for name, part in self._wanted.tables.items():
                if tables.is_front(name):
                    continue
                self.restore_tables([name], database)
                count = tables.count(name, database)
                if not tables.is_whole(name, database):
                    raise BackupError(f"{self._wanted.name}: {name} has damaged parts.")
                if count != part.rows:
                    raise BackupError(
                        f"{self._wanted.name}: {name} has {count:,} rows, and {FILE} says "
                        f"{part.rows:,}."
                    )
                if name != MIGRATIONS:
                    say(f"{name}: {count:,} rows")
                tables.drop(name, database)
        finally:
            tables.drop_database(database)

    def _targets(self) -> tuple[Target, Target | None]:
        base = self._wanted.base
        return (
            self._place.target(self._wanted.name),
            self._place.target(base, is_base=True) if base else None,
        )
