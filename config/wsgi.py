"""How the Flask apps are served: gunicorn, one process, threads, no control socket."""

from collections.abc import Callable
from typing import Any

import gunicorn.app.base

from config.settings import Settings


class Server(gunicorn.app.base.BaseApplication):
    """One app on one port; it is built in the worker process, after the fork."""

    def __init__(
        self,
        settings: Settings,
        port: int,
        build: Callable[[], Any],
        stop: Callable[[], None] = lambda: None,
    ) -> None:
        """Serve what `build` returns on `port`; call `stop` after the last request."""
        self._settings = settings
        self._port = port
        self._build = build
        self._stop = stop
        super().__init__()

    def load_config(self) -> None:
        """Set what gunicorn must know; its own file and environment are not read."""
        options = {
            "bind": f"{self._settings.listen_host}:{self._port}",
            "worker_class": "gthread",
            "workers": 1,
            "threads": self._settings.door_threads,
            # A request may wait for an insert; the worker itself shows that it lives in between.
            "timeout": 120,
            "graceful_timeout": 20,
            "keepalive": 30,
            "accesslog": None,
            "loglevel": "warning",
            "logconfig_dict": _LOGGING,
            "control_socket_disable": True,
            "worker_exit": lambda _arbiter, _worker: self._stop(),
        }
        for name, value in options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:  # noqa: ANN401 - a WSGI app
        """The app, for gunicorn's worker."""
        return self._build()


_LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "loggers": {"gunicorn.error": {"propagate": True, "level": "WARNING", "handlers": []}},
}
