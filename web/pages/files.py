"""The files of the page: read once, compressed once, and kept by browsers until they change."""

import functools
import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Response, abort, request

FOLDER = Path(__file__).parent / "static"

_TEXTS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_UNCHANGED = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file, plain and compressed with gzip."""

    mimetype: str
    content: bytes
    compressed: bytes


@functools.cache
def current_version() -> str:
    """A digest of all files, which is part of their addresses: it changes when a file does."""
    digest = hashlib.blake2b(digest_size=8)
    for name, path in sorted(_paths().items()):
        content = path.read_bytes()
        digest.update(f"{name}\n{len(content)}\n".encode() + content)
    return digest.hexdigest()


def serve_files(blueprint: Blueprint) -> None:
    """Add the endpoint `static`; `url_for` adds the present version to its addresses."""

    @blueprint.app_url_defaults
    def with_version(endpoint: str, values: dict[str, object]) -> None:
        if endpoint == f"{blueprint.name}.static":
            values.setdefault("version", current_version())

    blueprint.add_url_rule("/static/<version>/<path:filename>", "static", _answer)


# Another version is asked for by a page that was opened before an upgrade, or that another process
# served.
def _answer(version: str, filename: str) -> Response:
    if filename not in _paths():
        abort(404, f"The page has no file {filename}.")
    file = _file(filename)
    zipped = request.accept_encodings["gzip"] > 0
    response = Response(file.compressed if zipped else file.content, mimetype=file.mimetype)
    if zipped:
        response.content_encoding = "gzip"
    response.vary.add("Accept-Encoding")
    response.headers["Cache-Control"] = _UNCHANGED if version == current_version() else "no-cache"
    return response


@functools.cache
def _paths() -> dict[str, Path]:
    files = (path for path in FOLDER.rglob("*") if path.is_file())
    return {path.relative_to(FOLDER).as_posix(): path for path in files}


@functools.cache
def _file(name: str) -> PageFile:
    path = _paths()[name]
    kind = _TEXTS.get(path.suffix) or mimetypes.guess_type(name)[0] or "text/plain"
    content = path.read_bytes()
    return PageFile(kind, content, gzip.compress(content, mtime=0))
