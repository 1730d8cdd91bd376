"""What the engine finds, compared with the same query evaluated in Python; and which indexes it
uses."""

import json
import random
import re

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

from storage.clickhouse.client import Clickhouse
from storage.clickhouse.insert import INDEXES_OF_AN_INSERT
from storage.clickhouse.sql import Where
from storage.query.language.compile import condition
from storage.query.language.errors import QuerySyntaxError
from storage.query.language.evaluate import select
from storage.query.language.fields import LOGS, SPANS
from storage.query.language.parse import parse
from storage.query.logs.search import LogFilters, where
from storage.time_range import TimeRange
from tests.made_queries import queries, random_record

pytestmark = pytest.mark.integration

WORKSPACE = "language"
FIRST_NS = 1_784_000_000_000_000_000
TIME_RANGE = TimeRange(FIRST_NS, FIRST_NS + 3600 * 10**9)
SQL_OF = {column.key: column.sql for column in LOGS.columns.values()} | {
    "log_attributes": "LogAttributes",
    "resource_attributes": "ResourceAttributes",
}
INDEXED_ROWS = 40_000
COMBINED = "<Combined skip indexes>"
thorough = hypothesis_settings(
    max_examples=150, suppress_health_check=list(HealthCheck), deadline=None
)


class Stored:
    """Log records of a workspace in the table; `ChunkRow` is a record's place in `records`."""

    def __init__(self, connection, workspace, rows, records=(), limits=None):
        self.records = records
        self.connection = connection
        self.workspace = workspace
        names = ["Timestamp", "WorkspaceId", "ChunkRow", *rows[0]]
        connection.insert(
            f"INSERT INTO otel_logs ({', '.join(names)}) VALUES",
            [(FIRST_NS, workspace, place, *row.values()) for place, row in enumerate(rows)],
            limits,
        )

    def ask(self, select, text):
        """Run a query over the records that a search finds; `{}` in it stands for them."""
        clause = where(LogFilters(workspace_id=self.workspace, q=text), TIME_RANGE)
        sql = select.format(f"FROM otel_logs WHERE {clause.sql}")
        return [value for (value,) in self.connection.query(sql, clause.params)]

    def found(self, text):
        return set(self.ask("SELECT ChunkRow {}", text))


@pytest.fixture(scope="module")
def connection(migrated):
    made = Clickhouse(migrated)
    yield made
    made.close()


@pytest.fixture(scope="module")
def various(connection):
    """Records of the same vocabulary as the generated queries."""
    source = random.Random(20260714)
    records = [random_record(source) for _ in range(600)]
    rows = [{SQL_OF[key]: value for key, value in record.items()} for record in records]
    return Stored(connection, WORKSPACE, rows, records)


@thorough
@given(made=queries)
def test_the_engine_finds_what_python_finds(various, made):
    text, _ = made
    matches = select(parse(text), various.records)
    expected = {place for place, is_match in enumerate(matches) if is_match}
    assert various.found(text) == expected, text


def test_the_engine_takes_every_template_that_a_query_may_have(various):
    refused = 0
    for parts in range(100, 1400, 100):
        for part in ("<*>", "<value>", "<num> ", "<time> ", "<...>a"):
            text = f'pattern:"{part * parts}"'
            try:
                parse(text)
            except QuerySyntaxError:
                refused += 1
            else:
                various.found(text)
    assert 0 < refused < 65


@thorough
@given(made=queries)
def test_a_negation_finds_all_others(various, made):
    text, _ = made
    one, other = various.found(text), various.found(f"-({text})")
    assert not one & other
    assert len(one) + len(other) == len(various.records)


@pytest.fixture(scope="module")
def indexed(connection):
    """Records in one merged part, each with a unique word, trace id and attributes."""
    rows = [
        {
            "Body": f"request took word{place}x ms: connection refused{place}",
            "TraceId": f"{place:032x}",
            "LogAttributes": {"order": f"o-{place}"},
            "ResourceAttributes": {"host": f"h-{place}"},
        }
        for place in range(INDEXED_ROWS)
    ]
    made = Stored(connection, "indexed", rows)
    connection.query("OPTIMIZE TABLE otel_logs PARTITION ('2026-07-14', 0) FINAL")
    return made


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("word777x", "idx_body"),
        ("WORD777X took", "idx_body"),
        ('"connection refused777"', "idx_body"),
        ("took connection refused777 request word777x ms", "idx_body"),
        ("*ord777x", "idx_body"),
        ("body:word777*", "idx_body"),
        (r"/^request took word777x \w+/", "idx_body"),
        (f"trace_id:{777:032X}", "idx_trace_id"),
        (f"trace_id:({777:032x} OR {778:032x})", "idx_trace_id"),
        ("/efused777[0-9]*$/", "idx_body"),
        ("attributes.order:o-777", "idx_log_attr_value"),
        ("resource.host:h-777", "idx_res_attr_value"),
        ("order:o-777", COMBINED),
        ("host:h-777", COMBINED),
        ('pattern:"request took word777x <*>: connection refused<num>"', "idx_body"),
        ("word777x OR attributes.order:o-777", COMBINED),
    ],
)
def test_a_query_reads_few_granules_by_its_index(indexed, text, index):
    assert 777 in indexed.found(text)
    [plan] = indexed.ask("EXPLAIN json = 1, indexes = 1 SELECT count() {}", text)
    used = {each["Name"]: each for each in indexes_of(json.loads(plan)) if "Name" in each}
    assert used[index]["Selected Granules"] < used[index]["Initial Granules"]


def test_a_value_that_one_record_has_is_looked_for_in_a_granule_of_2048_rows(indexed):
    assert rows_read(indexed, "attributes.order:o-777") <= 2048


def test_what_did_not_match_is_not_read_again_where_there_is_no_index_yet(connection):
    rows = [{"Body": f"request took word{place}x ms"} for place in range(INDEXED_ROWS)]
    fresh = Stored(connection, "fresh", rows, limits=INDEXES_OF_AN_INSERT)
    first, again = (rows_read(fresh, "word777x") for _ in range(2))
    assert again < first


def rows_read(stored, text):
    """Rows that ClickHouse says it read to count a query's records."""
    assert stored.ask("SELECT count() {}", text) == [1]
    [idle] = stored.connection._idle.values()
    return idle.queue[-1].last_query.progress.rows


def indexes_of(plan):
    """All index descriptions in a query plan, which nests lists and dictionaries."""
    if isinstance(plan, list):
        parts = plan
        found = []
    elif isinstance(plan, dict):
        parts = [part for name, part in plan.items() if name != "Indexes"]
        found = list(plan.get("Indexes", []))
    else:
        return []
    for part in parts:
        found += indexes_of(part)
    return found


def documented(project_root):
    """The queries in the first column of the documentation's tables of examples."""
    page = (project_root / "docs" / "search.md").read_text()
    for table in re.findall(r"\| query \|.*\n\|---.*\n((?:\|.*\n)+)", page):
        for row in table.splitlines():
            first_column = re.split(r"(?<!\\) \| ", row)[0]
            for query in re.findall(r"`((?:[^`\\]|\\.)+)`", first_column):
                yield query.replace("\\|", "|")


EXAMPLES = {
    "timeout": {0, 1},
    "connection refused": {2, 3},
    '"connection refused"': {2},
    "10.0.0.1": {3, 4},
    "10.0.0.1:8080": {4},
    "localhost:8080/x": {4},
    "fe80::1": {4},
    "aa:bb:cc:dd:ee:ff": {4},
    "http://shop/cart?id=7": {5},
    r"C:\logs\app": {5},
    "time*": {0, 1},
    "*out": {0, 1},
    "*meou*": {0, 1},
    "t?meout": {0, 1},
    r"/refused \(\d+\)/": {2},
    "/(?i)REFUSED/": {2, 3},
    "*": {0, 1, 2, 3, 4, 5},
    "level:error": {0, 3},
    "level:>=warn": {0, 2, 3},
    "service:cart": {0, 2},
    "service:(cart OR mail)": {0, 1, 2},
    "service:ca*": {0, 2},
    "/api/items": {5},
    "endpoint:/api/items": {1},
    "http.route:/users/{id}": {1},
    "trace_id:0af7651916cd43dd8448eb211c80319c": {2},
    "user.id:42": {0, 3},
    "attributes[user.id]:42": {0, 3},
    "attributes.region:eu": {0},
    "resource.region:eu": {1},
    "resource[region]:eu": {1},
    "app:shop": {4, 5},
    "user.id:*": {0, 1, 3},
    "_exists_:user.id": {0, 1, 3},
    'region:""': {2},
    "http.status_code:[500 TO 599]": {0},
    "http.status_code:{499 TO 600}": {0},
    "http.status_code:[500 TO *]": {0, 3},
    "duration_ms:>100": {1},
    "delta:-5": {3},
    "region:[a TO f]": {0, 1},
    "region:/^(eu|us)$/": {0, 1, 3},
    'pattern:"Connection refused (<num>)"': {2},
    "timeout service:cart": {0},
    "timeout AND service:cart": {0},
    "timeout OR refused": {0, 1, 2, 3},
    "timeout -level:debug": {0},
    "-level:debug": {0, 2, 3, 4, 5},
    "timeout service:cart OR refused": {0, 2, 3},
    "timeout (service:cart OR refused)": {0},
}


@pytest.fixture(scope="module")
def examples(connection):
    defaults = {
        "Body": "",
        "SeverityText": "",
        "SeverityNumber": 0,
        "ServiceName": "",
        "Endpoint": "",
        "TraceId": "",
        "LogAttributes": {},
        "ResourceAttributes": {},
    }
    rows = [
        {
            "Body": "Timeout of the upstream",
            "SeverityText": "Error",
            "ServiceName": "cart",
            "LogAttributes": {"user.id": "42", "region": "eu", "http.status_code": "503"},
        },
        {
            "Body": "read timeout",
            "SeverityText": "debug",
            "ServiceName": "mail",
            "Endpoint": "/api/items",
            "LogAttributes": {
                "user.id": "7",
                "duration_ms": "100.5",
                "http.route": "/users/{id}",
            },
            "ResourceAttributes": {"region": "eu"},
        },
        {
            "Body": "Connection refused (111)",
            "SeverityNumber": 13,
            "ServiceName": "cart",
            "TraceId": "0af7651916cd43dd8448eb211c80319c",
            "LogAttributes": {"region": "", "http.status_code": "200"},
            "ResourceAttributes": {"region": "us"},
        },
        {
            "Body": "10.0.0.1 REFUSED the connection",
            "SeverityNumber": 17,
            "ServiceName": "Cart",
            "LogAttributes": {"delta": "-5", "duration_ms": "fast", "http.status_code": "600"},
            "ResourceAttributes": {"user.id": "42", "region": "us"},
        },
        {
            "Body": "10.0.0.1:8080 via localhost:8080/x, fe80::1 and aa:bb:cc:dd:ee:ff",
            "ServiceName": "shop",
        },
        {
            "Body": r"http://shop/cart?id=7 wrote C:\logs\app for /api/items",
            "ServiceName": "web",
            "LogAttributes": {"app": "shop"},
        },
    ]
    return Stored(connection, "documented", [{**defaults, **row} for row in rows])


def test_every_documented_query_has_a_known_answer(project_root):
    assert set(documented(project_root)) == set(EXAMPLES)


@pytest.mark.parametrize("text", EXAMPLES)
def test_a_documented_query_finds_what_the_page_says(examples, text):
    assert examples.found(text) == EXAMPLES[text]


SPAN_ROWS = [
    {
        "TraceId": "0af7651916cd43dd8448eb211c80319c",
        "SpanName": "GET /checkout",
        "SpanKind": "Server",
        "ServiceName": "shop",
        "StatusCode": "Error",
        "Duration": 100_000_000,
        "SpanAttributes": {"http.status_code": "500"},
        "ResourceAttributes": {"host": "h1", "http.status_code": "0"},
    },
    {
        "TraceId": "",
        "SpanName": "checkout",
        "SpanKind": "Client",
        "ServiceName": "cart",
        "StatusCode": "Unset",
        "Duration": 250_000,
        "SpanAttributes": {},
        "ResourceAttributes": {"host": "h2", "http.status_code": "404"},
    },
]
SPAN_KEYS = {
    **{column.sql: column.key for column in SPANS.columns.values()},
    "SpanAttributes": "attributes",
    "ResourceAttributes": "resource_attributes",
}


@pytest.fixture(scope="module")
def spans(connection):
    """Spans in the table, as the reader returns them."""
    names = ["WorkspaceId", "Timestamp", "ChunkRow", *SPAN_ROWS[0]]
    connection.insert(
        f"INSERT INTO otel_traces ({', '.join(names)}) VALUES",
        [(WORKSPACE, FIRST_NS, place, *row.values()) for place, row in enumerate(SPAN_ROWS)],
    )
    return [as_read(row) for row in SPAN_ROWS]


def as_read(row):
    return {SPAN_KEYS[column]: value for column, value in row.items()}


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("checkout", {0, 1}),
        ("operation:checkout", {1}),
        ("name:*checkout", {0, 1}),
        ("status:error kind:SERVER", {0}),
        ("duration_ms:>=100", {0}),
        ("duration_ms:0.25", {1}),
        ("duration_ms:[0.1 TO 100}", {1}),
        ("http.status_code:>=400", {0, 1}),
        ("http.status_code:404", {1}),
        ("attributes.http.status_code:*", {0}),
        ("resource.host:h? -service:cart", {0}),
        ("trace_id:0AF7651916CD43DD8448EB211C80319C", {0}),
        ("status:/^un/", {1}),
    ],
)
def test_spans_are_found_by_their_own_fields(connection, spans, text, places):
    query, clause = parse(text, SPANS), Where(sql="WorkspaceId = 'language'")
    sql = f"{clause.sql} AND {condition(query, clause.bind)}"
    found = connection.query(f"SELECT ChunkRow FROM otel_traces WHERE {sql}", clause.params)
    assert {place for (place,) in found} == places
    assert select(query, spans) == [place in places for place in range(len(spans))]
