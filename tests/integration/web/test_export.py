"""Exports hold what the pages hold, need bounded memory, and do not break off unnoticed."""

import csv
import http.client
import io
import json
import os
import random
import socket
import subprocess
import sys
import tracemalloc
from urllib.parse import urlencode

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.clickhouse.client import Clickhouse
from storage.query.logs import slices as slices_module
from storage.query.logs.export import ExportQuery, export
from storage.query.logs.search import LogFilters
from storage.query.logs.slices import slices
from storage.time_range import TimeRange
from tests.integration.web.test_filters import holds, random_query

pytestmark = pytest.mark.integration

FORMATS = ("ndjson", "csv", "parquet")


def get(client, query):
    """Export what a query finds; the parameters are those of a page but for `limit`."""
    parameters = {}
    for name, value in query.items():
        if name != "limit":
            parameters[name] = json.dumps(value) if isinstance(value, dict) else value
    response = client.get("/api/v1/logs/export", query_string=parameters)
    assert response.status_code == 200, response.text
    return response.data


def page(client, query):
    answer = client.post("/api/v1/ingestion/query", json={"limit": 10_000, **query}).get_json()
    assert not answer["has_more"]
    return answer["logs"]


def as_logs(content, form):
    """The log records of a file, as a page gives them."""
    if form == "ndjson":
        return [json.loads(line) for line in content.decode().split("\n")[:-1]]
    if form == "csv":
        rows = csv.DictReader(io.StringIO(content.decode(), newline=""))
        return [_from_csv(row) for row in rows]
    rows = pq.read_table(io.BytesIO(content)).to_pylist()
    return [_from_parquet(row) for row in rows]


def _typed(row):
    numbers = {name: int(row[name]) for name in ("timestamp_ms", "severity_number")}
    maps = {name: json.loads(row[name]) for name in ("resource_attributes", "log_attributes")}
    return row | numbers | maps


def _fraction(row):
    return f"{row['timestamp'].value % 10**9:09}"


def _from_csv(row):
    numbers = {name: int(row[name]) for name in ("timestamp_ms", "severity_number")}
    maps = {name: json.loads(row[name]) for name in ("resource_attributes", "log_attributes")}
    return row | numbers | maps


def _from_parquet(row):
    maps = {name: dict(row[name]) for name in ("resource_attributes", "log_attributes")}
    time = row["timestamp"]
    nanoseconds = time.value % 10**9
    return row | maps | {"timestamp": f"{time.strftime('%Y-%m-%dT%H:%M:%S')}.{nanoseconds:09}Z"}


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_holds_what_the_pages_hold(client, whole_range, form, monkeypatch):
    monkeypatch.setattr(slices_module, "RECORDS", 37)
    source = random.Random(form)
    queries = [{**whole_range, "order": order} for order in ("desc", "asc")]
    queries += [random_query(source, whole_range) for _ in range(6)]
    for query in queries:
        exported = as_logs(get(client, {**query, "format": form}), form)
        assert exported == page(client, query)


def test_an_export_finds_with_the_search_language(client, whole_range):
    query = {**whole_range, "q": "timeout AND service:mail", "order": "asc"}
    exported = as_logs(get(client, query), "ndjson")
    assert exported
    assert exported == page(client, query)


def test_an_export_of_nothing_is_a_file_of_its_format(client, whole_range):
    nothing = {**whole_range, "workspace_id": "nobody"}
    files = {form: get(client, {**nothing, "format": form}) for form in FORMATS}
    assert files["ndjson"] == b""
    assert list(csv.DictReader(io.StringIO(files["csv"].decode()))) == []
    assert files["csv"].startswith(b'"id","timestamp",')
    assert pq.read_table(io.BytesIO(files["parquet"])).num_rows == 0


def test_no_cell_of_a_safe_csv_begins_as_a_formula(client, clickhouse, seeded, put_logs):
    formulas = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"]
    harmless = ["plain", "a=1", "'=1", ""]
    base = {**seeded[0], "WorkspaceId": "formulas", "ClientId": "-web", "Endpoint": "=cmd|' /C'"}
    first_ms = 1_785_000_000_000
    rows = [
        {**base, "Body": body, "Timestamp": first_ms * 1_000_000 + n, "ChunkRow": n}
        for n, body in enumerate(formulas + harmless)
    ]
    put_logs(clickhouse, rows)
    query = {
        "workspace_id": "formulas",
        "start_time_ms": first_ms,
        "end_time_ms": first_ms,
        "format": "csv",
    }

    plain = as_logs(get(client, query), "csv")
    assert [log["body"] for log in plain] == formulas + harmless

    safe = get(client, {**query, "spreadsheet_safe": "true"})
    for row in csv.reader(io.StringIO(safe.decode(), newline="")):
        assert not [cell for cell in row if cell[:1] and cell[0] in "=+-@\t\r"]

    logs = as_logs(safe, "csv")
    assert [log["body"] for log in logs] == [f"'{text}" for text in formulas] + harmless
    assert {log["client_id"] for log in logs} == {"'-web"}
    assert {log["endpoint"] for log in logs} == {"'=cmd|' /C'"}

    refused = client.get("/api/v1/logs/export", query_string={"spreadsheet_safe": "true"})
    assert refused.status_code == 422
    assert list(refused.get_json()["error"]["fields"]) == ["spreadsheet_safe"]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_slices_are_disjoint_in_order_and_hold_everything(
    clickhouse, engine_settings, seeded, order, monkeypatch
):
    monkeypatch.setattr(slices_module, "RECORDS", 20)
    filters = LogFilters(workspace_id="default", min_severity=9)
    whole = TimeRange(0, 2 * 10**18)

    found = list(slices(clickhouse, engine_settings, filters, whole, order))

    rising = found if order == "asc" else found[::-1]
    ends = []
    for part in rising:
        ends += [part.time_range.first_ns, part.time_range.last_ns]
    assert ends == sorted(set(ends))

    query = {"start_time_ms": 0, "end_time_ms": 2 * 10**12, "min_severity": 9}
    times = [row["Timestamp"] for row in seeded if holds(row, query)]
    for part in found:
        first_ns, last_ns = part.time_range.first_ns, part.time_range.last_ns
        assert part.records == sum(first_ns <= time <= last_ns for time in times)
    assert sum(part.records for part in found) == len(times)
    assert len(found) > 5


A_DAY = 3000
FIRST_MS = 1_786_000_000_000


@pytest.fixture(scope="module")
def bulky(engine_settings):
    """Settings of an engine where the workspace `bulky` has 3,000 records of 1 KiB on ten days."""
    clickhouse = Clickhouse(engine_settings)
    clickhouse.query(
        "INSERT INTO otel_logs (Timestamp, Body, WorkspaceId, ClientId, ServiceName, ChunkId,"
        " ChunkRow, LogAttributes) SELECT fromUnixTimestamp64Milli(toInt64(%(first)s +"
        " intDiv(number, %(day)s) * 86400000 + number)),"
        " concat(toString(number), ' ', randomPrintableASCII(1000)), 'bulky', 'web', 'cart', 5,"
        " number, map('n', toString(number)) FROM numbers(10 * %(day)s)",
        {"first": FIRST_MS, "day": A_DAY},
    )
    clickhouse.close()
    return engine_settings


def days(count):
    """The time range of so many days of `bulky`."""
    first = FIRST_MS * 1_000_000
    return TimeRange(first, first + count * 86_400 * 10**9 - 1)


def peak(clickhouse, settings, form, time_range):
    """Most bytes that Python and Arrow held during an export, and the file's size."""
    query = ExportQuery(filters=LogFilters(workspace_id="bulky"), time_range=time_range, form=form)
    size = arrow = 0
    tracemalloc.start()
    try:
        for piece in export(clickhouse, settings, query):
            size += len(piece)
            arrow = max(arrow, pa.total_allocated_bytes())
        _, python = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return python + arrow, size


@pytest.mark.parametrize("form", FORMATS)
def test_memory_does_not_grow_with_the_export(bulky, clickhouse, form):
    peak(clickhouse, bulky, form, days(1))
    small, small_size = peak(clickhouse, bulky, form, days(2))
    large, large_size = peak(clickhouse, bulky, form, days(10))
    assert large_size > 4 * small_size
    assert large < 1.3 * small
    assert large < large_size / 2


def test_progress_counts_every_record_slice_by_slice(bulky, clickhouse):
    query = ExportQuery(filters=LogFilters(workspace_id="bulky"), time_range=days(10), form="csv")
    passed = []
    lines = sum(piece.count(b"\n") for piece in export(clickhouse, bulky, query, passed.append))
    assert passed == [A_DAY] * 10
    assert lines == 1 + 10 * A_DAY


@pytest.fixture
def served(bulky, proxy, free_port, wait_until, project_root, tmp_path):
    """Start the API with a proxy before the engine's HTTP port; its port and the proxy."""
    way, port = proxy(bulky.clickhouse_http_port), free_port()
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment |= {
        "API_PORT": str(port),
        "CLICKHOUSE_HTTP_PORT": str(way.port),
        "CLICKHOUSE_PORT": str(bulky.clickhouse_port),
        "LISTEN_HOST": "127.0.0.1",
        "DATA_DIR": str(tmp_path),
        "VALKEY_PORT": str(free_port()),
    }
    with (tmp_path / "web.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "web"],
            cwd=project_root,
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        wait_until(lambda: listens(port), 60)
        yield port, way
    finally:
        process.terminate()
        process.wait(30)


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def ask_for_export(port, form):
    """Begin to download ten days of `bulky`; returns the connection and the answer."""
    time_range = days(10)
    query = {
        "workspace_id": "bulky",
        "format": form,
        "start_time_ms": time_range.first_ns // 10**6,
        "end_time_ms": time_range.last_ns // 10**6,
    }
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", f"/api/v1/logs/export?{urlencode(query)}")
    return connection, connection.getresponse()


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_that_breaks_off_is_seen_to_be_broken(served, form):
    port, way = served
    connection, answer = ask_for_export(port, form)
    assert answer.status == 200
    assert answer.headers["Transfer-Encoding"] == "chunked"

    # The rest does not fit into the sockets' buffers: the API is still sending.
    begin = answer.read(1000)
    way.break_all("refuse")
    way.disconnect()
    with pytest.raises(http.client.IncompleteRead) as broken:
        answer.read()

    connection.close()
    got = len(begin) + len(broken.value.partial)
    assert 1000 < got < 10 * A_DAY * 1000

    way.heal()
    connection, answer = ask_for_export(port, form)
    assert len(answer.read()) > got

    connection.close()


def test_an_export_that_cannot_begin_is_refused_with_a_status(served):
    port, way = served
    way.break_all("refuse")
    connection, answer = ask_for_export(port, "csv")
    assert answer.status == 503
    assert json.loads(answer.read())["error"]["fields"] == {
        "database": ["The database connection was lost; try again later."]
    }

    connection.close()


def test_an_export_that_is_too_heavy_is_refused_with_a_status(bulky, client_of):
    client = client_of(bulky.model_copy(update={"query_max_memory": 1 << 20}))
    query = {"workspace_id": "bulky", "start_time_ms": 0, "end_time_ms": FIRST_MS * 2}
    refused = client.get("/api/v1/logs/export", query_string=query)
    assert refused.status_code == 422
    assert "query_too_heavy" in refused.get_json()["error"]["reason"]
