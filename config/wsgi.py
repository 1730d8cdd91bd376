"""How the Flask apps are served: gunicorn, one process, threads, no control socket."""

from collections.abc import Callable
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.config import Config
from gunicorn.glogging import Logger

from config.settings import Settings

GRACE = 20
"""Seconds in which running requests may end after SIGTERM."""


class Log(Logger):
    """gunicorn's words in Sheaf's own log; the apps themselves log their requests."""

    def setup(self, cfg: Config) -> None:
        """Pass everything on to the root logger, which writes it."""
        self.cfg = cfg
        self.error_log.propagate = True
        self.error_log.setLevel(cfg.loglevel.upper())

    def access(self, *_: object) -> None:
        """Leave the request to the app."""

    def reopen_files(self) -> None:
        """There are none."""


class Server(BaseApplication):
    """One app on one port; it is built in the worker process, after the fork."""

    def __init__(
        self,
        settings: Settings,
        port: int,
        build: Callable[[], Any],
        stop: Callable[[], None] = lambda: None,
    ) -> None:
        """Serve what `build` returns on `port`; call `stop` after the last request."""
        self._build = build
        self._options = {
            "bind": f"{settings.listen_host}:{port}",
            "worker_class": "gthread",
            "workers": 1,
            "threads": settings.door_threads,
            "graceful_timeout": GRACE,
            "keepalive": 15,
            "control_socket_disable": True,
            "loglevel": settings.log_level,
            "logger_class": Log,
            "worker_exit": lambda _arbiter, _worker: stop(),
        }
        super().__init__()

    def load_config(self) -> None:
        """Set what gunicorn must know; its own file and environment are not read."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:  # noqa: ANN401 - a WSGI app
        """The app, for gunicorn's worker."""
        return self._build()
