"""Paths as people type them: a slash at the end makes no difference."""

from collections.abc import Iterable
from typing import Any


class WithoutTrailingSlash:
    """WSGI middleware: every path is looked up without the slashes at its end.

    A redirect would do the same for browsers, but many clients do not follow one with a body.
    """

    def __init__(self, app: Any) -> None:  # noqa: ANN401 - a WSGI app
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # noqa: ANN401 - WSGI's
        """Answer a request."""
        path: str = environ.get("PATH_INFO", "")
        if path.endswith("/"):
            environ["PATH_INFO"] = path.rstrip("/") or "/"
        answer: Iterable[bytes] = self._app(environ, start_response)
        return answer
