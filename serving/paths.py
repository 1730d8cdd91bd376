"""Request paths in which extra slashes make no difference."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask

_SLASHES = re.compile("//+")

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


def ignore_extra_slashes(app: Flask) -> None:
    """Serve each path also with trailing or double slashes, without a redirect.

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
