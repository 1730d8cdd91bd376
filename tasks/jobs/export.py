"""Exports all log records of a search to a file for download."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from storage.query.logs.export import ExportQuery, export

if TYPE_CHECKING:
    from collections.abc import Iterator

    from config.settings import Settings
    from tasks.jobs.job import Job
    from tasks.jobs.run import JobResult, Stores, Work

UNIT = "log records"

_DRAFT = ".part"


def arguments(query: ExportQuery) -> dict[str, Any]:
    """The arguments of a job's order."""
    plain: dict[str, Any] = msgspec.to_builtins(query)
    return plain


def write_export(work: Work, stores: Stores) -> JobResult:
    """Write the file, and rename it when it is complete; a retry starts from the beginning."""
    query = msgspec.convert(work.order.arguments, ExportQuery)
    folder = exports_folder(stores.settings)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{work.order.id}.{query.form}"
    draft = folder / f"{name}.{work.attempt}{_DRAFT}"
    work.done = 0
    try:
        with draft.open("wb") as file:
            for piece in export(stores.clickhouse, stores.settings, query, work.advance):
                file.write(piece)
                work.keep()
        work.total = work.done
        work.save()
        size = draft.stat().st_size
        draft.replace(folder / name)
    finally:
        draft.unlink(missing_ok=True)
    return {"file": name, "bytes": size, "records": work.done}


def exports_folder(settings: Settings) -> Path:
    """The folder of exported files."""
    return Path(settings.export_dir) if settings.export_dir else settings.data_dir / "exports"


def exported_file(settings: Settings, job: Job) -> Path | None:
    """The file of a finished export; None if there is none or it has been deleted."""
    if job.state != "done" or job.result is None or "file" not in job.result:
        return None
    # The name never comes from a client, but drop any folder from it all the same.
    path = exports_folder(settings) / Path(job.result["file"]).name
    return path if path.is_file() else None


def drop_old_exports(settings: Settings) -> int:
    """Delete files of expired jobs, and drafts of dead workers; returns how many."""
    oldest = time.time() - settings.job_window
    old = [path for path in _files(settings) if path.stat().st_mtime < oldest]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def _files(settings: Settings) -> Iterator[Path]:
    folder = exports_folder(settings)
    return folder.iterdir() if folder.is_dir() else iter(())
