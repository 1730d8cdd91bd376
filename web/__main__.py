"""Boot script of the query API: `python -m web`."""

import sys
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.config import Config
from gunicorn.glogging import Logger

from config import logging
from config.settings import Settings, SettingsError, load
from web.app import create_app

GRACE = 25
"""Seconds in which running requests may end after SIGTERM."""


class Log(Logger):  # type: ignore[misc] # gunicorn ships no types
    """Gunicorn's words in Sheaf's own log; the app itself logs the requests."""

    def setup(self, cfg: Config) -> None:
        """Pass everything on to the root logger, which writes it."""
        self.cfg = cfg
        self.error_log.propagate = True
        self.error_log.setLevel(cfg.loglevel.upper())

    def access(self, *_: object) -> None:
        """Leave the request to the app."""

    def reopen_files(self) -> None:
        """There are none."""


class Server(BaseApplication):  # type: ignore[misc] # gunicorn ships no types
    """Gunicorn around one app: one process, many threads."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        """Serve `app` on LISTEN_HOST:API_PORT."""
        self._app = app
        self._options: dict[str, Any] = {
            "bind": f"{settings.listen_host}:{settings.api_port}",
            "workers": 1,
            "worker_class": "gthread",
            "threads": settings.door_threads,
            "graceful_timeout": GRACE,
            "keepalive": 15,
            "control_socket_disable": True,
            "proc_name": "sheaf-web",
            "loglevel": settings.log_level,
            "logger_class": Log,
        }
        super().__init__()

    def load_config(self) -> None:
        """Take the options over."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """The app."""
        return self._app


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    try:
        settings = load()
    except SettingsError as error:
        sys.exit(str(error))
    logging.configure(settings)
    Server(create_app(settings), settings).run()


if __name__ == "__main__":
    main()
