"""A real engine with seeded log records, and the app over it."""

import os
import random
import signal
import socket
import subprocess
import sys
from fnmatch import fnmatchcase

import pytest

from config.settings import Settings
from ledger.ledger import Ledger
from storage.clickhouse.client import Clickhouse
from storage.schema.migrate import migrate
from tests.cluster.cannot import CANNOT
from tests.cluster.fixtures import new_cluster  # noqa: F401 - a fixture
from web.app import create_app

ON_CLUSTER = bool(os.environ.get("ON_CLUSTER"))
"""Whether the tests run on a cluster of 2 x 2 nodes instead of one engine."""

FIRST_NS = 1_784_000_000_123_456_789
"""2026-07-14T03:33:20.123456789Z"""

SPAN_MS = 2 * 3600 * 1000

COLUMNS = (
    *("Timestamp", "TraceId", "SpanId", "SeverityText", "SeverityNumber", "ServiceName", "Body"),
    *("ResourceAttributes", "ScopeName", "LogAttributes", "WorkspaceId", "ClientId"),
    *("ServiceVersion", "Endpoint", "ChunkId", "ChunkRow", "RetentionDays"),
)

BODIES = (
    "Timeout while reading from upstream",
    "timeout",
    "TIMEOUTS are 100% annoying",
    "100 percent_done, a\\b 'quoted' \"twice\" `thrice`",
    "percentXdone",
    "Ошибка соединения: code-42 retry later",
    "ОШИБКА СОЕДИНЕНИЯ: CODE-42 RETRY LATER",
    "Größe überschritten in naïve café",
    "first line\nsecond line\tends",
    "GET /api/items?id=7&x=%(v0)s;-- DROP TABLE otel_logs",
    "{} {curly} <script>alert(1)</script>",
    "",
)


def pytest_collection_modifyitems(items):
    for item in items if ON_CLUSTER else ():
        for pattern, reason in CANNOT.items():
            if fnmatchcase(item.nodeid, pattern):
                item.add_marker(pytest.mark.xfail(strict=True, reason=reason))


def log_rows(seed, count):
    """Rows with many equal times, in two workspaces, every column varied."""
    source = random.Random(seed)
    choice = source.choice
    times = [FIRST_NS + source.randrange(SPAN_MS) * 1_000_000 for _ in range(count // 6)]
    rows = []
    for number in range(count):
        log_attributes = {"user.id": str(source.randrange(4)), "empty": ""}
        if source.random() < 0.5:
            log_attributes["region"] = choice(["eu", "us", ""])
        row = {
            "Timestamp": choice(times) + choice([0, 0, 0, 1, 999_999]),
            "TraceId": f"{source.randrange(40):032x}",
            "SpanId": f"{number:016x}",
            "SeverityText": choice(["INFO", "info", "Warning", "ERROR", "", ""]),
            "SeverityNumber": choice([0, 1, 5, 9, 12, 13, 17, 20, 21, 24]),
            "ServiceName": choice(["cart", "mail", "it's `odd` \\ %s"]),
            "Body": choice(BODIES),
            "ResourceAttributes": {"region": choice(["eu", "asia"]), "host": "h1"},
            "ScopeName": "scope",
            "LogAttributes": log_attributes,
            "WorkspaceId": choice(["default", "default", "acme"]),
            "ClientId": choice(["default", "web", "app"]),
            "ServiceVersion": "1.2",
            "Endpoint": choice(["/api/items", "/login", ""]),
            "ChunkId": choice([1, 2**63, 2**64 - 1]),
            "ChunkRow": number,
            "RetentionDays": 0,
        }
        rows.append(row)
    return rows


def insert_logs(clickhouse, rows):
    """Insert rows of `COLUMNS`, `Timestamp` in Unix nanoseconds."""
    statement = f"INSERT INTO otel_logs ({', '.join(COLUMNS)}) VALUES"
    for start in range(0, len(rows), 200):
        part = rows[start : start + 200]
        clickhouse.insert(statement, [tuple(row[name] for name in COLUMNS) for row in part])


@pytest.fixture(scope="session")
def engine_settings(request):
    """Settings of a running engine, or with ON_CLUSTER=1 a cluster, whose schema is applied."""
    return request.getfixturevalue("_cluster_settings" if ON_CLUSTER else "_one_engine_settings")


@pytest.fixture(scope="session")
def migrated(engine_settings):
    """The same, for fixtures of all integration tests."""
    return engine_settings


@pytest.fixture(scope="session")
def _cluster_settings(tmp_path_factory, free_port, new_cluster, shared_engines):  # noqa: F811 - a fixture
    # A test reads at once what it has inserted, so all replicas must have it by then.
    defaults = {"distributed_foreground_insert": "1", "insert_quorum": "2"}
    with new_cluster(defaults=defaults) as cluster:
        cluster.start()
        settings = Settings(
            data_dir=tmp_path_factory.mktemp("data"),
            clickhouse_port=cluster.contact.ports.native,
            clickhouse_http_port=cluster.contact.ports.http,
            clickhouse_cluster=cluster.name,
            replica_lag_seconds=1,
            valkey_port=free_port(),
            fsync_parts=False,
        )
        migrate(settings)
        shared_engines.append(settings)
        yield settings
        shared_engines.remove(settings)


@pytest.fixture(scope="session")
def _one_engine_settings(tmp_path_factory, free_port, wait_until, project_root, shared_engines):
    folder = tmp_path_factory.mktemp("engine")
    ports = {"CLICKHOUSE_PORT": free_port(), "CLICKHOUSE_HTTP_PORT": free_port()}
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment |= {name: str(port) for name, port in ports.items()}
    with (folder / "engine.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "embedded"],
            cwd=project_root,
            env={**environment, "DATA_DIR": str(folder / "data")},
            stdout=log,
            stderr=log,
        )
    try:

        def engine_listens():
            assert process.poll() is None, (folder / "engine.log").read_text()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", ports["CLICKHOUSE_PORT"])) == 0

        wait_until(engine_listens, seconds=60)
        settings = Settings(
            data_dir=folder / "data",
            clickhouse_port=ports["CLICKHOUSE_PORT"],
            clickhouse_http_port=ports["CLICKHOUSE_HTTP_PORT"],
            replica_lag_seconds=1,
            valkey_port=free_port(),
            fsync_parts=False,
        )
        migrate(settings)
        shared_engines.append(settings)
        yield settings
        shared_engines.remove(settings)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        finally:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def seeded(engine_settings):
    """The rows of 600 log records in the table."""
    rows = log_rows(20260714, 600)
    clickhouse = Clickhouse(engine_settings)
    insert_logs(clickhouse, rows)
    clickhouse.close()
    return rows


@pytest.fixture
def clickhouse(engine_settings):
    connection = Clickhouse(engine_settings)
    yield connection
    connection.close()


@pytest.fixture
def client_of():
    """Make clients of apps; their connections are closed in the end."""
    opened = []

    def make(settings, database=None):
        clickhouse, ledger = Clickhouse(settings, database=database), Ledger(settings)
        opened.extend((clickhouse, ledger))
        return create_app(settings, clickhouse, ledger).test_client()

    yield make
    for connection in opened:
        connection.close()


@pytest.fixture
def client(engine_settings, client_of, seeded):
    """A client of the app over the seeded records."""
    assert seeded
    return client_of(engine_settings)


@pytest.fixture(scope="session")
def whole_range():
    """Query parameters of a time range that holds all seeded records."""
    start = FIRST_NS // 1_000_000 - 1000
    return {"start_time_ms": start, "end_time_ms": start + SPAN_MS + 10_000}


@pytest.fixture(scope="session")
def put_logs():
    """Insert rows of log records."""
    return insert_logs
