"""Histogram, facets and patterns, compared with the same computed over the rows in Python."""

import json
import random
import re
from collections import Counter, defaultdict

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from storage.clickhouse.client import Clickhouse
from storage.clickhouse.sql import Where
from storage.query.logs import facets as facets_module
from storage.query.logs import sample as sample_module
from storage.query.logs.masks import MASKS
from storage.query.logs.patterns import masked
from tests.integration.web.test_filters import holds, level, random_query
from tests.integration.web.test_stats import row as stored_row

pytestmark = pytest.mark.integration

ARRIVING_NS = 1_784_700_000 * 10**9

COLUMNS = {
    "service_name": "ServiceName",
    "service_version": "ServiceVersion",
    "client_id": "ClientId",
    "endpoint": "Endpoint",
    "scope_name": "ScopeName",
}


def as_parameters(query):
    """A query's filters as URL parameters."""
    parameters = {}
    for name, value in query.items():
        if name not in {"limit", "order"}:
            parameters[name] = json.dumps(value) if isinstance(value, dict) else value
    return parameters


def get(client, what, query):
    response = client.get(f"/api/v1/logs/{what}", query_string=as_parameters(query))
    assert response.status_code == 200, response.text
    return response.get_json()


def searches(whole_range, seed, count):
    source = random.Random(seed)
    return [whole_range, *(random_query(source, whole_range) for _ in range(count))]


def fields_of(row):
    """A record's fields by the names of facets."""
    found = {name: row[column] for name, column in COLUMNS.items() if row[column]}
    merged = row["ResourceAttributes"] | row["LogAttributes"]
    found |= {f"attributes[{key}]": value for key, value in merged.items()}
    return {"severity": level(row), **found}


def counted(rows):
    """Counts of values by field."""
    counts = {}
    for row in rows:
        for field, value in fields_of(row).items():
            counts.setdefault(field, Counter())[value] += 1
    return counts


@pytest.mark.parametrize("interval_ms", [None, 1000 * 7, 60_000, 3_600_000, 86_400_000])
def test_a_histogram_counts_every_record_once_in_its_bucket(
    client, seeded, whole_range, interval_ms
):
    for query in searches(whole_range, interval_ms, 6):
        extra = {"interval_ms": interval_ms} if interval_ms else {"buckets": 13}
        answer = get(client, "histogram", {**query, **extra})
        width = answer["interval_ms"]
        rows = [row for row in seeded if holds(row, query)]
        expected = defaultdict(Counter)
        for row in rows:
            start = row["Timestamp"] // 1_000_000 // width * width
            expected[start][level(row)] += 1

        found = {bucket["start_ms"]: bucket["by_severity"] for bucket in answer["buckets"]}
        assert {start: levels for start, levels in found.items() if levels} == expected
        for bucket in answer["buckets"]:
            assert bucket["count"] == sum(bucket["by_severity"].values())
        assert answer["total"] == len(rows)

        first = query["start_time_ms"] // width * width
        assert list(found) == list(range(first, query["end_time_ms"] + 1, width))
        if interval_ms:
            assert width == interval_ms
        else:
            assert len(found) <= 13


def test_a_histogram_of_too_many_buckets_is_refused(client, whole_range):
    query = {**whole_range, "interval_ms": 1}
    refused = client.get("/api/v1/logs/histogram", query_string=query)
    assert refused.status_code == 422
    assert list(refused.get_json()["error"]["fields"]) == ["interval_ms"]


def test_facets_count_every_value_of_every_field(client, seeded, whole_range):
    for query in searches(whole_range, 1, 8):
        answer = get(client, "facets", {**query, "values": 3})
        rows = [row for row in seeded if holds(row, query)]
        expected = counted(rows)
        assert {facet["field"] for facet in answer["facets"]} == set(expected)
        assert answer["total"] == answer["sampled_records"] == len(rows)
        for facet in answer["facets"]:
            counts = expected[facet["field"]]
            values = {value["value"]: value["count"] for value in facet["values"]}
            assert facet["exact"]
            assert facet["records"] == counts.total()
            assert facet["distinct_values"] == len(counts)
            assert facet["other"] == counts.total() - sum(values.values())
            assert values.items() <= counts.items()
            assert list(values.values()) == [count for _, count in counts.most_common(3)]


def test_a_value_of_a_facet_is_a_filter_that_finds_as_many_records(client, whole_range):
    filters = {"service_name", "client_id", "endpoint"}
    for facet in get(client, "facets", whole_range)["facets"]:
        field = facet["field"]
        if field not in filters and not field.startswith("attributes["):
            continue
        for value in facet["values"]:
            query = {**whole_range, field: value["value"]}
            found = client.get("/api/v1/logs", query_string=query).get_json()
            assert found["total_count"] == value["count"], (field, value)


def test_facets_can_be_named(client, whole_range):
    named = ["attributes[region]", "severity", "attributes[absent]"]
    answer = get(client, "facets", {**whole_range, "fields": ",".join(named)})
    assert [facet["field"] for facet in answer["facets"]] == named
    assert [facet["records"] > 0 for facet in answer["facets"]] == [True, True, False]

    refused = client.get("/api/v1/logs/facets", query_string={**whole_range, "fields": "region"})
    assert refused.status_code == 422
    assert list(refused.get_json()["error"]["fields"]) == ["fields"]


def test_facets_of_a_large_search_say_which_are_of_a_sample(
    client, seeded, whole_range, monkeypatch
):
    def facets(**more):
        found = get(client, "facets", whole_range | more)["facets"]
        return {facet["field"]: facet for facet in found}

    monkeypatch.setattr(sample_module, "RUN_ROWS", 1)
    monkeypatch.setattr(facets_module, "SAMPLE_RECORDS", 100)
    monkeypatch.setattr(facets_module, "FEW_VALUES", 3)
    expected = counted(row for row in seeded if holds(row, whole_range))
    answer = get(client, "facets", whole_range)
    sampled = answer["sampled_records"]
    assert 50 < sampled < 200 < answer["total"]

    found = {facet["field"]: facet for facet in answer["facets"]}
    for name in ("service_name", "endpoint", "attributes[host]", "attributes[empty]"):
        assert found[name]["exact"]
        assert found[name]["records"] == expected[name].total()
    for name in ("severity", "attributes[user.id]"):
        assert not found[name]["exact"]
        assert found[name]["records"] == sampled

    monkeypatch.setattr(facets_module, "MANY_RECORDS", 200)
    unnamed = facets()
    assert unnamed["service_name"]["exact"]
    assert not unnamed["attributes[host]"]["exact"]

    [named] = facets(fields="attributes[host]").values()
    assert named["exact"]
    assert named["records"] == expected["attributes[host]"].total()

    [diverse] = facets(fields="attributes[user.id]").values()
    assert not diverse["exact"]
    assert diverse["records"] == sampled


def test_no_more_than_the_most_frequent_attributes_become_facets(
    client, seeded, whole_range, monkeypatch
):
    monkeypatch.setattr(facets_module, "MOST_FIELDS", 6)
    expected = counted(row for row in seeded if holds(row, whole_range))
    assert len(expected) == 10

    everything = get(client, "facets", whole_range)["facets"]
    assert len(everything) == 10

    monkeypatch.setattr(facets_module, "MOST_FIELDS", 3)
    some = get(client, "facets", whole_range)["facets"]
    names = [facet["field"] for facet in some if facet["field"].startswith("attributes[")]
    assert names == ["attributes[empty]", "attributes[host]", "attributes[region]"]


def template_of(body):
    for expression, mask in MASKS:
        body = re.sub(expression, mask, body, flags=re.ASCII)
    return body


def check_pattern(pattern, members):
    """Compare a pattern with the rows that belong to it."""
    times = sorted(row["Timestamp"] for row in members)
    assert pattern["count"] == len(members)
    assert pattern["by_severity"] == Counter(map(level, members))
    assert pattern["first_timestamp"].endswith(f"{times[0] % 10**9:09}Z")
    assert pattern["last_timestamp"].endswith(f"{times[-1] % 10**9:09}Z")
    assert pattern["example"] in {row["Body"] for row in members}


def collapsed(body):
    """The body cut off at 500 characters, with every digit as 0."""
    return body[:500].translate(str.maketrans("123456789", "000000000"))


def test_patterns_cluster_every_record_of_a_search(client, seeded, whole_range):
    for query in searches(whole_range, 2, 6):
        rows = [row for row in seeded if holds(row, query)]
        expected = defaultdict(list)
        for row in rows:
            expected[template_of(row["Body"])].append(row)

        answer = get(client, "patterns", query)

        assert answer["total"] == answer["sampled_records"] == len(rows)
        assert answer["exact"]
        assert answer["templates"] == len(expected)
        assert answer["other"] == 0
        assert {pattern["template"] for pattern in answer["patterns"]} == set(expected)
        workspace = {"workspace_id": query.get("workspace_id", "default")}
        for pattern in answer["patterns"]:
            check_pattern(pattern, expected[pattern["template"]])
            path = f"/api/v1/logs/{pattern['example_id']}"
            log = client.get(path, query_string=workspace).get_json()["log"]
            assert log["body"] == pattern["example"]


def test_what_is_beyond_the_limit_is_counted_as_other(client, seeded, whole_range):
    templates = Counter(template_of(row["Body"]) for row in seeded if holds(row, whole_range))
    response = client.get("/api/v1/logs/patterns", query_string={**whole_range, "limit": 4})
    answer = response.get_json()
    counts = [pattern["count"] for pattern in answer["patterns"]]

    assert counts == [count for _, count in templates.most_common(4)]
    assert sum(counts) + answer["other"] == answer["total"] == templates.total()
    assert answer["templates"] == len(templates)
    assert sum(pattern["share"] for pattern in answer["patterns"]) < 1


@pytest.mark.parametrize(
    ("body", "template"),
    [
        ("took 12 ms, 3.5 s, -7 C", "took <num> ms, <num> s, <num> C"),
        ("block blk_-6952295868487656571 of rdd_2_1", "block blk_<num> of rdd_<num>_<num>"),
        ("id 5f0c5a3e-93a3-4f3b-8c40-0a9a4c6f1f6e gone", "id <uuid> gone"),
        ("from 10.0.0.12:8080 to [2001:db8::ff00:42:8329]", "from <ip> to [<ip>]"),
        ("at 0x7ffe12, digest 9f86d081884c7d65", "at <hex>, digest <hex>"),
        ("user 'Anna' said \"hi\" and can't stay", "user <str> said <str> and can't stay"),
        ("open /var/log/app.log: no such file", "open <path>: no such file"),
        ("GET /login 200", "GET /login <num>"),
        ("GET https://example.org/a?b=1 failed", "GET <url> failed"),
        ("2026-07-14T03:33:20.123Z start 03:33:21", "<time> start <time>"),
        ("decade facade 12-15", "decade facade <num>-<num>"),
    ],
)
def test_what_varies_in_a_body_is_masked(body, template):
    assert template_of(body) == template


fragments = st.sampled_from(
    (
        *("12", "-3", "4.5", "0x1F", "deadbeef1", "cafe", "1e9", "::1", "fe80::1:2", "1:2:3"),
        *("10.0.0.1", "10.0.0.1:80", "999.1.1.1.1", "2026-07-14", "2026-07-14T10:00:00,123+02:00"),
        *("10:20:30.5", "00:1B:44:11:3A:B7", "5f0c5a3e-93a3-4f3b-8c40-0a9a4c6f1f6e", "'a b'", "'"),
        *('"x 1"', '"', "it's", "/a/b", "/a", "/a/b/c.d/", "http://a.b/c?d=1", "blk_-42", "a-1"),
        *(" ", "  ", "=", ",", ":", "(", "[", "]", "_", "-", "\n", "é", "Я9", "\\", "<num>", "%s"),
    )
)
bodies = st.lists(st.lists(fragments, max_size=8).map("".join), min_size=1, max_size=30)


@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(bodies)
@example(["/a/b/c /d/e", "1.2.3.4.5.6", "a 'b' 'c'd'", "12345678 1234567a"])
def test_clickhouse_masks_as_the_expressions_say(clickhouse, texts):
    clause = Where()
    rows = clickhouse.query(
        f"SELECT {masked('text', clause.bind)}, text FROM (SELECT arrayJoin(%(texts)s) AS text)",
        {**clause.params, "texts": texts},
    )
    assert [template for template, _ in rows] == [template_of(text) for text in texts]


@given(bodies)
def test_no_mask_tells_one_digit_from_another(texts):
    for text in texts:
        assert template_of(collapsed(text)) == template_of(text)


def some_lines(project_root):
    """Lines of real logs if there are, else of made ones."""
    samples = project_root.parent / "shared" / "data" / "loghub"
    lines = []
    for file in sorted(samples.glob("*.log")):
        lines += file.read_text("utf-8", "replace").splitlines()[:60]
    return lines or [f"{n:x} user {n * n} from 10.0.0.{n % 256}:{n}" for n in range(700)]


def test_real_lines_become_few_patterns(client, clickhouse, seeded, put_logs, project_root):
    lines = some_lines(project_root)
    first_ms = 1_784_900_000_000
    base = {**seeded[0], "WorkspaceId": "real-lines", "ChunkId": 77}
    rows = [
        {**base, "Body": line, "Timestamp": first_ms * 1_000_000 + n, "ChunkRow": n}
        for n, line in enumerate(lines)
    ]
    put_logs(clickhouse, rows)

    query = {
        "workspace_id": "real-lines",
        "start_time_ms": first_ms,
        "end_time_ms": first_ms + 1,
        "limit": 1000,
    }
    answer = client.get("/api/v1/logs/patterns", query_string=query).get_json()
    found = {pattern["template"]: pattern["count"] for pattern in answer["patterns"]}

    assert found == Counter(template_of(line[:500]) for line in lines)
    assert answer["total"] == len(lines)
    assert answer["templates"] < len(set(lines)) * 0.8


@pytest.fixture
def arriving(engine_settings, client_of, put_logs, monkeypatch):
    """A client of an app; after each of its queries, ten more records arrive in a workspace."""
    client, writer = client_of(engine_settings), Clickhouse(engine_settings)
    chunks = iter(range(1, 1000))
    query = Clickhouse.query

    def put():
        chunk = next(chunks)
        record = stored_row(0) | {
            "Timestamp": ARRIVING_NS,
            "WorkspaceId": "arriving",
            "ChunkId": chunk,
            "LogAttributes": {"chunk": str(chunk)},
        }
        put_logs(writer, [record | {"ChunkRow": n} for n in range(10)])

    def query_then_put(self, *asked):
        found = query(self, *asked)
        put()
        return found

    put()
    monkeypatch.setattr(Clickhouse, "query", query_then_put)
    yield client
    writer.close()


@pytest.mark.parametrize("most", [50_000, 5])
@pytest.mark.parametrize("fields", [{}, {"fields": "severity,attributes[chunk],service"}])
def test_facets_agree_with_their_total_while_records_arrive(arriving, monkeypatch, most, fields):
    monkeypatch.setattr(facets_module, "SAMPLE_RECORDS", most)
    asked = {"workspace_id": "arriving", "start": ARRIVING_NS, "end": ARRIVING_NS}
    answer = arriving.get("/api/v1/logs/facets", query_string=asked | fields).get_json()
    assert answer["facets"]
    for facet in answer["facets"]:
        whole = answer["total"] if facet["exact"] else answer["sampled_records"]
        assert facet["records"] <= whole, facet
        if facet["field"] in {"severity", "service", "attributes[chunk]"}:
            assert facet["records"] == whole, facet
    assert answer["sampled_records"] <= answer["total"]
