"""What ClickHouse has written into a backup: the list of files that it keeps itself."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from storage.backup.place import TABLES, BackupError, BackupPlace

_LIST = ".backup"
_COUNT = "count.txt"
_TABLE_DEPTH = 3  # metadata/<database>/<table>.sql
_PART_DEPTH = 5  # data/<database>/<table>/<part>/<file>


@dataclass(frozen=True, slots=True)
class BackedUpFile:
    """One file of a backup."""

    name: str
    """Its path when it is restored, such as `data/<database>/<table>/<part>/count.txt`."""
    size: int
    checksum: str
    in_base: bool
    """Whether the base has it, under any name."""
    stored: str
    """Its path in this backup, if the base does not have it; files with one content share one."""


@dataclass(frozen=True, slots=True)
class TableContents:
    """What a backup has of a table."""

    rows: int
    parts: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Contents:
    """The files of a backup."""

    files: tuple[BackedUpFile, ...]
    sha256: str
    """Of ClickHouse's list, which has their checksums."""

    @property
    def own_bytes(self) -> int:
        """Bytes that the base does not have."""
        return sum({f.stored: f.size for f in self.files if not f.in_base}.values())


def contents_of(place: BackupPlace, name: str) -> Contents:
    """The files of the backup `name`. Raises BackupError."""
    text = place.read(f"{name}/{TABLES}/{_LIST}")
    try:
        # ClickHouse wrote it, into a place that only its owner may write.
        files = tuple(_files(ET.fromstring(text)))  # noqa: S314 - as said
    except (ET.ParseError, ValueError) as error:
        raise BackupError(f"{name}/{TABLES}/{_LIST} is damaged: {error}.") from error
    return Contents(files, hashlib.sha256(text).hexdigest())


def missing(place: BackupPlace, name: str, contents: Contents, base: Contents | None) -> list[str]:
    """Files of a backup that are neither in it, with their size, nor in its base."""
    sizes = place.sizes(f"{name}/{TABLES}")
    in_base = {(each.size, each.checksum) for each in base.files} if base else set()
    return [
        each.name
        for each in contents.files
        if each.size
        and (
            (each.size, each.checksum) not in in_base
            if each.in_base
            else sizes.get(each.stored) != each.size
        )
    ]


def row_counts(
    place: BackupPlace, name: str, contents: Contents, known: Mapping[str, int]
) -> dict[str, int]:
    """The rows of the parts, by the checksum of the file that says so.

    Args:
        place: where the backup is.
        name: its name.
        contents: its files.
        known: those of its base.
    """
    found: dict[str, int] = {}
    for each in contents.files:
        if _is_count(each) and each.checksum not in found:
            count = known.get(each.checksum)
            if count is None:
                count = int(place.read(f"{name}/{TABLES}/{each.stored}"))
            found[each.checksum] = count
    return found


def by_table(contents: Contents, counts: Mapping[str, int]) -> dict[str, TableContents]:
    """What a backup has of each table; `counts` are from :func:`row_counts`."""
    found: dict[str, TableContents] = {}
    for each in contents.files:
        steps = _steps(each)
        if len(steps) < _TABLE_DEPTH:
            continue
        # A table without rows has no data.
        table = steps[2].removesuffix(".sql")
        was = found.get(table, TableContents(0, 0, 0))
        is_count = _is_count(each)
        rows = counts[each.checksum] if is_count else 0
        found[table] = TableContents(was.rows + rows, was.parts + is_count, was.bytes + each.size)
    return found


def _is_count(file: BackedUpFile) -> bool:
    steps = _steps(file)
    return len(steps) == _PART_DEPTH and steps[0] == "data" and steps[-1] == _COUNT


def _steps(file: BackedUpFile) -> list[str]:
    """A file's path, without `shards/<n>/replicas/<n>` of a cluster's backup."""
    steps = file.name.split("/")
    return steps[4:] if steps[0] == "shards" else steps


def _files(root: ET.Element) -> Iterator[BackedUpFile]:
    for each in root.iter("file"):
        name = each.findtext("name", "")
        yield BackedUpFile(
            name=name,
            size=int(each.findtext("size", "0")),
            checksum=each.findtext("checksum", ""),
            in_base=each.findtext("use_base", "") == "true",
            stored=each.findtext("data_file", "") or name,
        )
