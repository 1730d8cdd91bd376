"""How the Flask apps are served: gunicorn, one process, threads behind an event loop."""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.config import Config
from gunicorn.glogging import Logger

from config.certificates import CertificateError, CertificateFiles, FreshContext
from config.descriptors import allow_many
from config.settings import Settings, names_in
from serving.stopping import note_stop
from serving.waiting import Limits
from serving.worker import Worker

GRACE = 20
"""Seconds for running requests to end after SIGTERM."""


_OTHER_FILES = 256
"""Descriptors besides clients' sockets: for broker, database, files and threads."""


class Log(Logger):
    """Sends gunicorn's log to Sheaf's own; the apps log their requests."""

    def setup(self, cfg: Config) -> None:
        """Pass everything on to the root logger."""
        self.cfg = cfg
        self.error_log.propagate = True
        self.error_log.setLevel(cfg.loglevel.upper())

    def access(self, *_: object) -> None:
        """Do nothing: the app logs the request."""

    def reopen_files(self) -> None:
        """Do nothing: there are none."""


class Server(BaseApplication):
    """One app on one port; the app is built in the worker process, after the fork."""

    def __init__(  # noqa: PLR0913 - what a server needs, each by name
        self,
        settings: Settings,
        port: int,
        build: Callable[[], Any],
        stop: Callable[[], None] = lambda: None,
        *,
        most_body: int,
        more_threads: int = 0,
        stopping: Callable[[Any], None] = lambda _app: None,
    ) -> None:
        """Configure gunicorn.

        Args:
            settings: where to listen, and with how many threads.
            port: the port.
            build: makes the app.
            stop: called after the last request.
            most_body: maximum bytes of a request's body.
            more_threads: extra threads, for requests that never end.
            stopping: called with the app when no more requests are accepted, while some still run.
        """
        self._build = build
        threads = settings.door_threads + more_threads
        room = allow_many(settings.http_connections + _OTHER_FILES) - _OTHER_FILES
        connections = max(threads + 1, min(settings.http_connections, room))
        self.limits = Limits(most_body, connections, settings.receive_seconds)
        self.tls = _context(settings)
        self._options = {
            "bind": f"{settings.listen_host}:{port}",
            "worker_class": Worker,
            "workers": 1,
            "threads": threads,
            # Never reached: before gunicorn would stop accepting, the front closes the oldest.
            "worker_connections": connections + threads + 1,
            # The front has its own limits, and answers requests beyond them.
            "limit_request_line": 0,
            "graceful_timeout": GRACE,
            "keepalive": 15,
            "control_socket_disable": True,
            "loglevel": settings.log_level,
            "logger_class": Log,
            "forwarded_allow_ips": ",".join(names_in(settings.trusted_proxies)),
            "post_worker_init": lambda worker: _drain_on_stop(
                worker, settings.drain_seconds, stopping
            ),
            "worker_exit": lambda _arbiter, _worker: stop(),
        }
        super().__init__()

    def load_config(self) -> None:
        """Set gunicorn's options; its config file and environment are not read."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:  # noqa: ANN401 - a WSGI app
        """The app, for gunicorn's worker."""
        return self._build()


def _context(settings: Settings) -> FreshContext | None:
    try:
        return FreshContext(CertificateFiles(settings)) if settings.tls_cert else None
    except CertificateError as error:
        raise SystemExit(str(error)) from None


def _drain_on_stop(worker: Any, seconds: float, stopping: Callable[[Any], None]) -> None:  # noqa: ANN401 - gunicorn's
    """At SIGTERM, say first that the process is not ready, and stop accepting `seconds` later."""

    def stop() -> None:
        # Before it, so that no stream begins in between.
        stopping(worker.wsgi)
        worker.handle_exit(signal.SIGTERM, None)

    def leave(_number: int, _frame: FrameType | None) -> None:
        note_stop(worker.wsgi)
        later = threading.Timer(seconds, stop)
        later.daemon = True
        later.start()

    signal.signal(signal.SIGTERM, leave)
