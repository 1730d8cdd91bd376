"""Paths as people and clients write them: slashes too many make no difference."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

_SLASHES = re.compile("//+")

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


def forgive_slashes(app: Flask) -> None:
    """Serve each path also with slashes behind it, and with double ones, without a redirect.

    Many clients do not follow a redirect of a POST.
    """
    app.wsgi_app = _single_slashes(app.wsgi_app)  # type: ignore[assignment] # Flask's documented way


def _single_slashes(inner: Wsgi) -> Wsgi:
    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401 - WSGI
        path: str = environ.get("PATH_INFO", "")
        if path.endswith("/") or "//" in path:
            environ["PATH_INFO"] = _SLASHES.sub("/", path).rstrip("/") or "/"
        return inner(environ, start_response)

    return app
