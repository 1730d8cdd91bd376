"""What the write path may cost, by counts that are the same on every machine."""

import queue
import random
import sys
import tracemalloc
from collections import Counter

import pytest
from celery import Celery
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from ingest.commit.receive import Receiver
from ingest.convert.otlp.request import cut
from ingest.convert.services import LOGS
from ingest.tenant import Sender, Tenant
from ledger.ledger import Entry, Ledger
from storage import decode
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.insert import Inserter
from tests.integration.made_logs import NOON, entry, new_chunk, text
from worker.write import Writer

pytestmark = pytest.mark.integration

_WORDS = ("connection", "session", "opened", "closed", "for", "user", "root", "error", "cache")


def export_of(records, seed=1):
    """An OTLP request like that of an SDK: one resource, and a line with attributes each record."""
    source = random.Random(seed)
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    for key in ("service.name", "service.version", "host.name", "k8s.pod.name"):
        group.resource.attributes.add(key=key, value=text(f"{key}-1"))
    scope = group.scope_logs.add()
    for row in range(records):
        line = " ".join(source.choices(_WORDS, k=12))
        record = scope.log_records.add(
            time_unix_nano=NOON + row * 1_000_000, severity_number=9, severity_text="INFO"
        )
        record.body.string_value = f"{line} {source.randrange(10**6)}"
        for key in ("http.route", "thread.name", "code.function"):
            record.attributes.add(key=key, value=text(f"{key}-{source.randrange(20)}"))
    return request.SerializeToString()


def calls_of(work):
    """How many functions `work` calls, Python's and C's."""
    count = 0

    def watch(_frame, event, _arg):
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(watch)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


class Meter:
    """Counts what reaches the two stores."""

    def __init__(self, valkey, insert_gate, native):
        self._valkey = valkey.client
        self._insert_gate = insert_gate
        self._native = native
        self._before = self._now()

    def spent(self):
        """Commands of the broker by name, `inserts` and `queries`, since the last look."""
        now = self._now()
        spent = now - self._before
        self._before = self._now()
        return spent

    def _now(self):
        counts = Counter()
        for name, stats in self._valkey.info("commandstats").items():
            counts[name.removeprefix("cmdstat_")] = stats["calls"]
        counts["inserts"] = self._insert_gate.requests
        counts["queries"] = self._native["queries"]
        return counts


@pytest.fixture
def queries(monkeypatch, insert_gate):
    """Count the queries of the writer's native connections; all run as usual."""
    counted = Counter()
    run = Clickhouse.query

    def query(self, sql, *args):
        # A thread that another test has left may ask too.
        counted["queries"] += self._settings.clickhouse_http_port == insert_gate.port
        return run(self, sql, *args)

    monkeypatch.setattr(Clickhouse, "query", query)
    return counted


@pytest.fixture
def insert_gate(migrated, proxy):
    return proxy(migrated.clickhouse_http_port)


@pytest.fixture
def writer(stores, clickhouse, insert_gate):
    """A writer that has connected to ClickHouse and stored a batch."""
    assert clickhouse
    settings = stores(clickhouse_http_port=insert_gate.port)
    ledger, database, inserter = Ledger(settings), Clickhouse(settings), Inserter(settings)
    made = Writer(settings, ledger, database, inserter)
    ledger.accept([entry(["first"])])
    assert [outcome.rows for outcome in made.drain()] == [1]
    yield made
    inserter.close()
    database.close()
    ledger.close()


@pytest.fixture
def meter(writer, valkey, insert_gate, queries):
    assert writer
    return Meter(valkey, insert_gate, queries)


@pytest.mark.parametrize("chunks", [1, 40])
def test_a_batch_costs_one_insert_no_query_and_three_scripts_however_many_chunks_it_has(
    writer, ledger, meter, chunks
):
    ledger.accept([entry([f"{n}"], workspace=f"w{n % 3}") for n in range(chunks)])
    meter.spent()
    assert [outcome.rows for outcome in writer.drain()] == [chunks]
    spent = meter.spent()
    assert (spent["inserts"], spent["queries"]) == (1, 0)
    assert spent["evalsha"] == 3, "seal, renew, settle"


def test_requests_that_come_together_are_committed_together(stores, valkey, meter):
    settings = stores(commit_interval_ms=200.0)
    receiver = Receiver(settings, Celery("door", broker=settings.broker_url))
    tenant = Sender(Tenant("acme", "web"))
    outcomes = queue.SimpleQueue()
    receiver.start()
    try:
        meter.spent()
        for number in range(100):
            receiver.submit(cut(LOGS, export_of(10, number), tenant), outcomes.put)
        for _ in range(100):
            assert outcomes.get(timeout=20).backend == "redis"
    finally:
        receiver.stop()

    assert meter.spent()["evalsha"] <= 10
    assert len(valkey.client.keys("sheaf:chunk:*")) <= 10


def test_a_record_is_written_to_the_ledger_in_less_than_half_of_its_bytes(ledger, valkey):
    content = export_of(1000)
    pieces = cut(LOGS, content, Sender(Tenant("acme", "web")))
    assert pieces.records == 1000

    before = valkey.client.info("persistence")["aof_current_size"]
    made = new_chunk(content, 1000)
    ledger.accept([Entry(made, ("request",))])
    written = valkey.client.info("persistence")["aof_current_size"] - before

    assert len(made.payload) < written < len(content) / 2


def test_rows_travel_to_clickhouse_in_at_most_half_again_the_bytes_that_came_in():
    content = export_of(1000)
    [(_, rows)] = decode.decode("logs", [new_chunk(content, 1000).rows()]).items()
    assert rows.num_rows == 1000
    assert rows.nbytes < 1.5 * len(content)


def test_a_door_calls_no_function_for_a_record():
    tenant = Sender(Tenant("acme", "web"))
    few, many = export_of(2000), export_of(4000)
    # The first call may do more.
    cut(LOGS, few, tenant)

    calls_for_few = calls_of(lambda: cut(LOGS, few, tenant))
    calls_for_many = calls_of(lambda: cut(LOGS, many, tenant))

    assert calls_for_many == calls_for_few


def test_a_worker_calls_no_function_for_a_record():
    few = new_chunk(export_of(100), 100).rows()
    many = new_chunk(export_of(4000), 4000).rows()
    # The first call may do more.
    decode.decode("logs", [few])

    calls_for_few = calls_of(lambda: decode.decode("logs", [few]))
    calls_for_many = calls_of(lambda: decode.decode("logs", [many]))

    assert calls_for_many - calls_for_few < 100


def test_decoding_takes_at_most_256_bytes_of_pythons_memory_a_record():
    rows = new_chunk(export_of(8000), 8000).rows()
    decode.decode("logs", [rows])
    tracemalloc.start()
    try:
        decode.decode("logs", [rows])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak / 8000 < 256
