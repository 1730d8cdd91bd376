"""Run the built-in ClickHouse: `python -m embedded`."""

import functools
import logging
import os
import sys
import time

from config.descriptors import allow_many
from config.plain_text import PlainFormatter
from config.settings import Settings, SettingsError, load
from config.signals import Stop, stop_signals
from embedded import http_interface, native
from embedded.engine import Engine, EngineError
from embedded.listener import Listener, PortError
from embedded.server import Server
from embedded.space import wait_for_space

log = logging.getLogger("embedded")

_HOST = "127.0.0.1"
_FILES = 1 << 16  # clients' sockets and the engine's parts
_GRACE_SECONDS = 4.0  # for running queries to end


def main() -> int:
    """Serve until SIGTERM or SIGINT; returns the process's exit code."""
    try:
        settings = load()
        _start_log(settings.log_level)
        _keep_utc()
        allow_many(_FILES)
        native_port = Listener("native", _HOST, settings.clickhouse_port)
        http_port = Listener("http", _HOST, settings.clickhouse_http_port)
        engine = Engine(settings.data_dir / "clickhouse", backups=settings.backups_folder)
        with stop_signals() as stop:
            if not wait_for_space(engine.directory, stop):
                return 0
        engine.open()
    except (SettingsError, EngineError, PortError) as error:
        print(f"embedded: {error}", file=sys.stderr)  # noqa: T201 - there may be no log yet
        return 1
    with stop_signals() as stop:
        _serve(settings, engine, native_port, http_port, stop)
    log.info("stopped")
    return 0


def _serve(
    settings: Settings, engine: Engine, native_port: Listener, http_port: Listener, stop: Stop
) -> None:
    server = Server(engine, settings.clickhouse_user, settings.clickhouse_password)
    server.start()
    native_port.start(functools.partial(native.serve, server))
    http_port.start(functools.partial(http_interface.serve, server))
    log.info("ClickHouse %s serves %s", server.version, engine.directory)
    log.info("native protocol on port %d, HTTP on port %d", native_port.port, http_port.port)

    stop.wait()

    log.info("stopping: no new connections; running queries get %.0f s", _GRACE_SECONDS)
    native_port.stop()
    http_port.stop()
    server.stop(_GRACE_SECONDS)
    native_port.close(0.5)
    http_port.close(0.5)
    engine.close()


def _start_log(level: str) -> None:
    output = logging.StreamHandler(sys.stderr)
    output.setFormatter(PlainFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[output])


def _keep_utc() -> None:
    """Make UTC the server's time zone; the engine takes it from the process."""
    os.environ["TZ"] = "UTC"
    time.tzset()


if __name__ == "__main__":
    sys.exit(main())
