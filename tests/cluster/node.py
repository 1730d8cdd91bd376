"""Run one node of a cluster: `python -m tests.cluster.node LAYOUT SHARD REPLICA FOLDER`.

It is the built-in ClickHouse with a cluster's configuration. Other nodes reach it at its native
port, and fetch parts from its interserver port.
"""

import functools
import logging
import os
import sys
import time
from pathlib import Path

from config.signals import stop_signals
from embedded import http_interface
from embedded.engine import Engine, EngineError
from embedded.listener import Listener, PortError
from tests.cluster import engine_patches, stages
from tests.cluster.ddl import ClusterServer
from tests.cluster.interserver import Interserver
from tests.cluster.layout import Layout
from tests.cluster.machine_code import UnknownCodeError

_HOST = "127.0.0.1"
_GRACE_SECONDS = 4.0

_DEFAULTS = {
    # The built-in server stores an INSERT's rows by INSERT SELECT, which a cluster must deduplicate
    # as a plain INSERT.
    "deduplicate_insert_select": "enable_even_for_bad_queries",
    # A session of chDB cannot be given the scalars that other servers send beside a query, so that
    # constants must be in its text.
    "enable_scalar_subquery_optimization": "0",
    "optimize_const_name_size": "-1",
}

log = logging.getLogger("node")


class NodeEngine(Engine):
    """An engine with a cluster's configuration.

    Args:
        directory: Where it keeps its files.
        layout: The cluster.
        shard: Its shard, from 1.
        replica: Its replica, from 1.
    """

    def __init__(self, directory, layout, shard, replica):
        super().__init__(directory, memory_ratio=0.2)
        self._place = layout, shard, replica
        self.is_open = False

    def configuration(self):
        layout, shard, replica = self._place
        backups = self.directory.parent / "backups"
        return layout.configuration(super().configuration(), shard, replica, backups)

    def open(self):
        super().open()
        self.is_open = True

    def connect(self, settings):
        layout, *_ = self._place
        return super().connect(_DEFAULTS | layout.defaults | dict(settings))


def main(arguments):
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s %(message)s")
    os.environ["TZ"] = "UTC"
    time.tzset()
    layout, shard, replica = Layout.read(Path(arguments[0])), int(arguments[1]), int(arguments[2])
    ports = layout.ports(shard, replica)
    try:
        engine_patches.apply(layout.places, _HOST, ports.interserver)
        engine = NodeEngine(Path(arguments[3]), layout, shard, replica)
        listeners = Listener("native", _HOST, ports.native), Listener("http", _HOST, ports.http)
        # Other replicas ask for parts while the tables are still being loaded.
        Interserver(_HOST, ports.interserver, engine).start()
        engine.open()
    except (UnknownCodeError, EngineError, PortError) as error:
        print(f"node: {error}", file=sys.stderr)  # noqa: T201 - what the test that fails shows
        return 1
    with stop_signals() as stop:
        _serve(engine, layout, *listeners, stop)
    # chDB aborts when it closes an engine that has replicated tables.
    logging.shutdown()
    os._exit(0)


def _serve(engine, layout, native, http, stop):
    server = ClusterServer(engine, [[ports.native for ports in shard] for shard in layout.shards])
    server.start()
    native.start(functools.partial(stages.serve, server))
    http.start(functools.partial(http_interface.serve, server))
    log.info("serves %s", engine.directory)
    stop.wait()
    native.stop()
    http.stop()
    server.stop(_GRACE_SECONDS)
    native.close(0.5)
    http.close(0.5)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
