"""Where backups are: a folder, or a prefix of a bucket in object storage (S3)."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pyarrow import ArrowInvalid, fs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from config.settings import Settings

TABLES = "tables"
"""In a backup's folder, what ClickHouse writes."""

_S3 = "s3://"


class BackupError(Exception):
    """A backup cannot be made, read or restored; the text says why, as a sentence."""


@dataclass(frozen=True, slots=True)
class Target:
    """A backup's tables as ClickHouse's `BACKUP` and `RESTORE` name them."""

    sql: str
    """Such as `File(%(target_path)s)`; it has no secrets in it."""
    params: Mapping[str, str] = field(repr=False)
    is_bucket: bool


@dataclass(frozen=True, slots=True)
class BackupPlace:
    """A folder or bucket with backups, each in a separate folder."""

    text: str
    """As people name it."""
    files: fs.FileSystem
    """Its files, by their paths in it."""
    settings: Settings

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder on this machine."""
        return not self.text.startswith(_S3)

    def target(self, name: str, *, is_base: bool = False) -> Target:
        """Where ClickHouse writes or reads the tables of the backup `name`.

        Args:
            name: the backup's name.
            is_base: whether another one, in the same statement, adds to it.
        """
        prefix = "base" if is_base else "target"
        path = f"{name}/{TABLES}"
        if not self.is_folder:
            settings = self.settings
            url = f"{settings.backup_s3_endpoint.rstrip('/')}/{self.text.removeprefix(_S3)}/{path}"
            given = {"url": url}
            if not is_base:
                given |= {"key": settings.backup_s3_key, "secret": settings.backup_s3_secret}
            listed = ", ".join(f"%({prefix}_{each})s" for each in given)
            params = {f"{prefix}_{each}": value for each, value in given.items()}
            return Target(f"S3({listed})", params, is_bucket=True)
        if not self.settings.embedded_clickhouse:
            path = str(Path(self.text) / path)
        # The embedded ClickHouse looks below its folder of backups, so that this can be moved.
        return Target(f"File(%({prefix}_path)s)", {f"{prefix}_path": path}, is_bucket=False)

    def names(self) -> list[str]:
        """The names of all folders in it, oldest first."""
        found = self._listed("", recursive=False)
        return sorted(each.base_name for each in found if each.type == fs.FileType.Directory)

    def sizes(self, path: str) -> dict[str, int]:
        """The files below a folder in it: path below that folder → bytes."""
        return {
            each.path.removeprefix(f"{path}/"): each.size
            for each in self._listed(path, recursive=True)
            if each.type == fs.FileType.File
        }

    @contextmanager
    def reading(self, path: str) -> Iterator[IO[bytes]]:
        """A file. Raises BackupError."""
        try:
            with self.files.open_input_stream(path, compression=None) as stream:
                yield stream
        except OSError as error:
            raise BackupError(f"{self.text}/{path} cannot be read: {error}.") from error

    def read(self, path: str) -> bytes:
        """All of a small file. Raises BackupError."""
        with self.reading(path) as stream:
            return stream.read()

    def has(self, path: str) -> bool:
        """Whether there is such a file. Raises BackupError."""
        try:
            [found] = self.files.get_file_info([path])
        except OSError as error:
            raise BackupError(f"{self.text}/{path} cannot be read: {error}.") from error
        return bool(found.type == fs.FileType.File)

    @contextmanager
    def writing(self, path: str) -> Iterator[IO[bytes]]:
        """A new file; in a folder it appears when it is whole. Raises BackupError."""
        try:
            if not self.is_folder:
                with self.files.open_output_stream(path, compression=None) as stream:
                    yield stream
                return
            whole = Path(self.text) / path
            whole.parent.mkdir(parents=True, exist_ok=True)
            _give_to_owner(whole.parent, Path(self.text))
            part = whole.with_name(f".{whole.name}.part")
            with part.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(whole)
        except OSError as error:
            raise BackupError(f"{self.text}/{path} cannot be written: {error}.") from error

    def remove(self, name: str) -> None:
        """Delete a backup's folder. Raises BackupError."""
        try:
            self.files.delete_dir(name)
        except OSError as error:
            raise BackupError(f"{self.text}/{name} cannot be deleted: {error}.") from error

    def _listed(self, path: str, *, recursive: bool) -> list[Any]:
        selector = fs.FileSelector(path, allow_not_found=True, recursive=recursive)
        try:
            return list(self.files.get_file_info(selector))
        except OSError as error:
            raise BackupError(f"{self.text}/{path} cannot be listed: {error}.") from error


def place_of(settings: Settings, text: str = "") -> BackupPlace:
    """The place with that name; empty: that of the settings.

    Raises:
        BackupError: it cannot be used.
    """
    text = text or settings.backup_to
    if text.startswith(_S3):
        return _bucket(settings, text.rstrip("/"))
    folder = Path(text).absolute() if text else settings.backups_folder
    allowed = settings.backups_folder
    if settings.embedded_clickhouse and folder != allowed:
        raise BackupError(
            f"The embedded ClickHouse writes backups to {allowed} only. Set BACKUP_TO={folder}, "
            "and start `sheaf run` with it."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files = fs.SubTreeFileSystem(str(folder), fs.LocalFileSystem())
    except OSError as error:
        raise BackupError(f"{folder} cannot be used for backups: {error.strerror}.") from error
    return BackupPlace(str(folder), files, settings)


def _give_to_owner(folder: Path, place: Path) -> None:
    """Let the owner of the place write there: ClickHouse may be another user than root."""
    owner = place.stat()
    if os.geteuid() == 0 and owner.st_uid != folder.stat().st_uid:
        os.chown(folder, owner.st_uid, owner.st_gid)


def _bucket(settings: Settings, text: str) -> BackupPlace:
    if not settings.backup_s3_endpoint:
        raise BackupError(
            f"{text} needs BACKUP_S3_ENDPOINT, such as https://s3.eu-central-1.amazonaws.com."
        )
    address = urlsplit(settings.backup_s3_endpoint)
    try:
        store = fs.S3FileSystem(
            access_key=settings.backup_s3_key,
            secret_key=settings.backup_s3_secret,
            endpoint_override=address.netloc,
            scheme=address.scheme,
            region=settings.backup_s3_region,
        )
        files = fs.SubTreeFileSystem(text.removeprefix(_S3), store)
    except (OSError, ArrowInvalid) as error:
        raise BackupError(f"{text} cannot be used for backups: {error}.") from error
    return BackupPlace(text, files, settings)
