"""Makes a backup while everything runs: first of the ledger, then of ClickHouse's tables.

A chunk leaves the ledger when its rows are in ClickHouse. So what was acknowledged before the
backup began is in the ledger's part or in the tables, or in both; what is in both is found there
before it would be inserted again (`ledger.backup.kept`).
"""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import TYPE_CHECKING

import msgspec
import structlog

from access.secret import secret_fingerprint
from ledger import keys
from ledger.backup import entries
from ledger.backup.record import BackupLock, BackupRecord, note
from ledger.backup.restore import Counted
from ledger.backup.snapshot import snapshots
from storage.backup.contents import by_table, contents_of, missing, row_counts
from storage.backup.place import BackupError
from storage.backup.tables import Tables
from storage.clickhouse.errors import StorageError
from tasks.backup import manifest
from tasks.backup.manifest import LEDGER, LedgerPart, Manifest, TablePart, new_name
from tasks.backup.series import base_for_next, broken_off, finished, unneeded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from config.settings import Settings
    from ledger.backup.entries import Entry
    from ledger.ledgers import AnyLedger
    from storage.backup.place import BackupPlace
    from storage.clickhouse.client import Clickhouse

log = structlog.get_logger(__name__)

_RENEW_SECONDS = 5.0


class Begun(msgspec.Struct, frozen=True):
    """A backup whose ledger is written, and whose tables ClickHouse is writing."""

    name: str
    base: str
    began_ms: int
    ledger: LedgerPart


class BackupMaker:
    """Makes backups in one place. Every method raises BackupError, BrokerError or StorageError."""

    def __init__(
        self, settings: Settings, ledger: AnyLedger, clickhouse: Clickhouse, place: BackupPlace
    ) -> None:
        """Back up ClickHouse and the brokers of all ledgers into `place`."""
        self._settings = settings
        self._broker = ledger.broker
        self._brokers = [each.broker for each in ledger.all]
        self._tables = Tables(clickhouse, settings)
        self._place = place

    def begin(self, *, full: bool = False, go_on: Callable[[], None] = lambda: None) -> Begun:
        """Write the ledger's part, and let ClickHouse begin to write the tables.

        Args:
            full: write everything, also what an earlier backup has.
            go_on: called often; may raise, to stop.
        """
        name = new_name()
        lock = BackupLock(self._brokers, name)
        if not lock.take():
            raise BackupError("Another backup is being made: wait until it is finished.")
        try:
            began_ms = keys.now_ms()
            ledger = self._write_ledger(name, lock, go_on)
            base = None if full else self._base()
            on = self._place.target(base, is_base=True) if base else None
            self._tables.begin_backup(name, self._place.target(name), on)
        except BaseException:
            lock.give_back()
            raise
        return Begun(name, base or "", began_ms, ledger)

    def is_done(self, begun: Begun) -> bool:
        """Whether the tables are written; call it at least once a minute."""
        if not BackupLock(self._brokers, begun.name).renew():
            raise BackupError("The backup took a break of more than a minute, so it is not whole.")
        return self._tables.progress(begun.name).state == "done"

    def finish(self, begun: Begun) -> Manifest:
        """Write the manifest, and delete backups that are no longer needed."""
        found = finished(self._place)
        base = next((each for each in found if each.name == begun.base), None)
        contents = contents_of(self._place, begun.name)
        base_contents = contents_of(self._place, begun.base) if begun.base else None
        if lost := missing(self._place, begun.name, contents, base_contents):
            raise BackupError(
                f"{self._place.text}/{begun.name} lacks {len(lost)} files that ClickHouse wrote, "
                f"such as {lost[0]}. ClickHouse and Sheaf must see the same folder."
            )
        counts = row_counts(self._place, begun.name, contents, base.row_counts if base else {})
        made = Manifest(
            version=manifest.VERSION,
            name=begun.name,
            sheaf=version("sheaf"),
            clickhouse=self._tables.version(),
            schema=self._tables.schema(),
            database=self._settings.clickhouse_database,
            began_ms=begun.began_ms,
            ended_ms=keys.now_ms(),
            base=begun.base,
            full=base.full if base else begun.name,
            secret=secret_fingerprint(self._settings),
            ledger=begun.ledger,
            tables={
                table: TablePart(each.rows, each.parts, each.bytes)
                for table, each in sorted(by_table(contents, counts).items())
            },
            list_sha256=contents.sha256,
            files=len(contents.files),
            own_bytes=contents.own_bytes,
            row_counts=counts,
        )
        manifest.write_manifest(self._place, made)
        self._prune([*found, made])
        self._note(begun, made)
        return made

    def fail(self, begun: Begun | None, error: str) -> None:
        """Note that a backup failed."""
        now = keys.now_ms()
        name, began = (begun.name, begun.began_ms) if begun else ("", now)
        note(self._broker, BackupRecord(name, self._place.text, began, now, error))
        if begun:
            BackupLock(self._brokers, name).give_back()

    def _write_ledger(self, name: str, lock: BackupLock, go_on: Callable[[], None]) -> LedgerPart:
        counted = Counted()

        def passing() -> Iterator[Entry]:
            nonlocal counted
            renewed = time.monotonic()
            for entry in snapshots(self._brokers):
                if time.monotonic() - renewed > _RENEW_SECONDS:
                    if not lock.renew():
                        raise BackupError("Another backup was begun meanwhile.")
                    renewed = time.monotonic()
                go_on()
                counted = counted.plus(entry)
                yield entry

        with self._place.writing(f"{name}/{LEDGER}") as file:
            sink = entries.Digest(file)
            entries.write(passing(), sink, entries.VERSION if len(self._brokers) > 1 else 1)
        return LedgerPart(
            sink.sha256,
            sink.size,
            counted.chunks,
            counted.records,
            counted.dead_letters,
            counted.keys,
            len(self._brokers),
        )

    def _base(self) -> str:
        settings = self._settings
        found = finished(self._place)
        base = base_for_next(found, settings.clickhouse_database, settings.backup_keep)
        return base.name if base else ""

    def _prune(self, found: list[Manifest]) -> None:
        for name in [*unneeded(found, self._settings.backup_keep), *broken_off(self._place)]:
            try:
                self._place.remove(name)
            except BackupError as error:
                log.warning("backup: not deleted", backup=name, error=str(error))

    def _note(self, begun: Begun, made: Manifest) -> None:
        record = BackupRecord(
            made.name,
            self._place.text,
            made.began_ms,
            made.ended_ms,
            base=made.base,
            rows=made.rows,
            bytes=made.own_bytes + made.ledger.bytes,
        )
        note(self._broker, record)
        BackupLock(self._brokers, begun.name).give_back()


def back_up(
    maker: BackupMaker, *, full: bool, pause: Callable[[], None], go_on: Callable[[], None]
) -> Manifest:
    """Make a backup from its begin to its end.

    Args:
        maker: makes it.
        full: as in :meth:`BackupMaker.begin`.
        pause: waits for a moment.
        go_on: as in :meth:`BackupMaker.begin`.

    Raises:
        BackupError: it failed; so do BrokerError and StorageError say.
    """
    begun = None
    try:
        begun = maker.begin(full=full, go_on=go_on)
        while not maker.is_done(begun):
            pause()
        return maker.finish(begun)
    except (BackupError, StorageError) as error:
        maker.fail(begun, str(error))
        raise
