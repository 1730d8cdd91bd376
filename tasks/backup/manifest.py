"""A backup's manifest, written last: a folder without one is no backup."""

from datetime import UTC, datetime

import msgspec

from storage.backup.place import BackupError, BackupPlace
from storage.schema.state import Applied

FILE = "manifest.json"
LEDGER = "ledger.zst"
VERSION = 1


class LedgerPart(msgspec.Struct, frozen=True):
    """What a backup has of the broker."""

    sha256: str
    bytes: int
    chunks: int
    """That waited to be stored."""
    records: int
    """In these chunks."""
    dead_letters: int
    keys: int
    ledgers: int = 1
    """How many ledgers these are of."""


class TablePart(msgspec.Struct, frozen=True):
    """What a backup has of a table."""

    rows: int
    parts: int
    bytes: int


class Manifest(msgspec.Struct, frozen=True):
    """What a backup is, and what is in it."""

    version: int
    name: str
    sheaf: str
    """Version of Sheaf."""
    clickhouse: str
    schema: tuple[Applied, ...]
    """The migrations that made the tables."""
    database: str
    began_ms: int
    """What was acknowledged until then is in the backup; Unix ms."""
    ended_ms: int
    base: str
    """The backup that this one adds to; empty if it is full."""
    full: str
    """The full backup that the chain of bases ends at."""
    secret: str
    """Tells whether a SECRET_KEY is the one of this system."""
    ledger: LedgerPart
    tables: dict[str, TablePart]
    list_sha256: str
    """SHA-256 of ClickHouse's list of files, which has a checksum of each."""
    files: int
    own_bytes: int
    """Bytes of the tables that the base does not have."""
    row_counts: dict[str, int]
    """Rows of parts, by the checksum of the file that says so; for the next backup."""

    @property
    def rows(self) -> int:
        """Rows of all tables."""
        return sum(table.rows for table in self.tables.values())


def new_name(now: datetime | None = None) -> str:
    """A name for a backup that is begun now; names are in the order of time."""
    return (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H-%M-%S.%fZ")


def read_manifest(place: BackupPlace, name: str) -> Manifest:
    """A backup's manifest.

    Raises:
        BackupError: there is none, or this version of Sheaf cannot read it.
    """
    try:
        found = msgspec.json.decode(place.read(f"{name}/{FILE}"), type=Manifest)
    except msgspec.DecodeError as error:
        raise BackupError(f"{place.text}/{name}/{FILE} is damaged: {error}.") from error
    if found.version > VERSION:
        raise BackupError(
            f"{place.text}/{name} was made by a newer version of Sheaf ({found.sheaf}): use that."
        )
    return found


def write_manifest(place: BackupPlace, manifest: Manifest) -> None:
    """Write a backup's manifest. Raises BackupError."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    with place.writing(f"{manifest.name}/{FILE}") as file:
        file.write(text)
