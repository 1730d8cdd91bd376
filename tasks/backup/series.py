"""The backups of one place: which the next one adds to, and which are no longer needed."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from storage.backup.place import BackupPlace
from tasks.backup.manifest import FILE, Manifest, new_name, read_manifest

_BROKEN_OFF = timedelta(days=2)
"""After this time, nothing writes to a folder without a manifest any more."""


def finished(place: BackupPlace) -> list[Manifest]:
    """The backups of a place, oldest first. Raises BackupError."""
    names = [name for name in place.names() if place.has(f"{name}/{FILE}")]
    return [read_manifest(place, name) for name in names]


def base_for_next(found: Sequence[Manifest], database: str, keep: int) -> Manifest | None:
    """The backup that the next one adds to; None: the next one is full.

    Args:
        found: the backups, oldest first.
        database: of the next backup.
        keep: the number of backups to keep; no chain has more incremental ones.
    """
    if not found or found[-1].database != database:
        return None
    newest = found[-1]
    chain = [each for each in found if each.full == newest.full]
    complete = {each.name for each in chain}
    if newest.full not in complete or len(chain) > keep:
        return None
    return newest


def chain_of(found: Sequence[Manifest], name: str) -> list[Manifest]:
    """A backup and those that it adds to, the newest first; a missing one ends it."""
    by_name = {each.name: each for each in found}
    chain = []
    while each := by_name.get(name):
        chain.append(each)
        name = each.base
    return chain


def unneeded(found: Sequence[Manifest], keep: int) -> list[str]:
    """Names of backups beyond the newest `keep` that none of these needs, the newest first."""
    needed = {each.name for kept in found[-keep:] for each in chain_of(found, kept.name)}
    return [each.name for each in reversed(found) if each.name not in needed]


def broken_off(place: BackupPlace, now: datetime | None = None) -> list[str]:
    """Names of folders that a backup was begun in, and not finished, days ago."""
    latest = new_name((now or datetime.now(UTC)) - _BROKEN_OFF)
    return [
        name
        for name in place.names()
        if _is_name(name) and name < latest and not place.has(f"{name}/{FILE}")
    ]


def _is_name(text: str) -> bool:
    return len(text) == len(new_name()) and text[:2] == "20" and text.endswith("Z")
