"""Histogram and facets, compared with the same computed over the rows in Python."""

import json
import random
from collections import Counter, defaultdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.clickhouse.client import Clickhouse
from storage.query.logs import facet_counts
from storage.query.logs import facets as facets_module
from storage.query.logs import sample as sample_module
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


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.integers(0, 599),
    st.sampled_from([0, -1, 1, -999_999, 10**6]),
    st.sampled_from([0, 1, 10**6 - 1, 10**6, 10**9, 60 * 10**9, 3600 * 10**9]),
    st.sampled_from([1, 10**6]),
    st.integers(1, 12),
    st.sampled_from([{}, {"level": "warn"}, {"q": "timeout"}]),
)
def test_the_range_of_a_bar_has_as_many_records_as_the_bar(
    client, seeded, place, shift, length, unit, buckets, filters
):
    start = seeded[place]["Timestamp"] + shift
    asked = {"start_time_ms": start // unit, "end_time_ms": (start + length) // unit}
    bars = get(client, "histogram", {**asked, **filters, "buckets": buckets})["buckets"]
    stats = {**asked, **filters, "buckets": buckets}
    over_time = client.get("/api/v1/stats", query_string=stats).get_json()["over_time"]
    assert over_time == bars
    for bar in bars:
        own = {"start_time_ms": bar["start"], "end_time_ms": bar["end"], **filters}
        assert client.get("/api/v1/stats", query_string=own).get_json()["total"] == bar["count"]
        page = client.get("/api/v1/logs", query_string={**own, "limit": 1}).get_json()
        assert page["total_count"] == bar["count"]
        zoomed = get(client, "histogram", {**own, "buckets": 7})
        assert zoomed["total"] == bar["count"]
        assert sum(each["count"] for each in zoomed["buckets"]) == bar["count"]


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
    assert diverse["exact"]
    assert diverse["distinct_values"] == len(expected["attributes[user.id]"])


def test_named_fields_with_too_many_values_are_counted_in_a_sample(
    client, seeded, whole_range, monkeypatch
):
    def facets(fields):
        answer = get(client, "facets", whole_range | {"fields": fields})
        return answer, {facet["field"]: facet for facet in answer["facets"]}

    monkeypatch.setattr(sample_module, "RUN_ROWS", 1)
    monkeypatch.setattr(facets_module, "SAMPLE_RECORDS", 100)
    monkeypatch.setattr(facets_module, "FEW_VALUES", 3)
    monkeypatch.setattr(facet_counts, "MOST_VALUES", 7)
    expected = counted(row for row in seeded if holds(row, whole_range))

    answer, found = facets("service,attributes[user.id]")
    service, user = found["service"], found["attributes[user.id]"]
    assert service["exact"]
    assert service["records"] == expected["service_name"].total() == answer["total"]
    assert not user["exact"]
    assert user["records"] == answer["sampled_records"] < answer["total"]

    answer, found = facets("attributes[user.id]")
    assert found["attributes[user.id]"]["exact"]
    assert answer["sampled_records"] == answer["total"]


@pytest.mark.parametrize("fields", [{}, {"fields": "attributes[text]"}])
def test_long_values_are_counted_together_by_their_start(client, clickhouse, put_logs, fields):
    start = "é" * facet_counts.VALUE_CHARACTERS
    texts = [start, start + "a", start + "b", "short", "", "short"]
    workspace = "long-values-named" if fields else "long-values"
    rows = [
        stored_row(0)
        | {"Timestamp": ARRIVING_NS, "WorkspaceId": workspace, "ChunkRow": n}
        | {"LogAttributes": {"text": text}}
        for n, text in enumerate(texts)
    ]
    put_logs(clickhouse, rows)
    asked = {"workspace_id": workspace, "start_time_ms": ARRIVING_NS // 10**6}
    asked |= {"end_time_ms": ARRIVING_NS // 10**6}
    found = {facet["field"]: facet for facet in get(client, "facets", asked | fields)["facets"]}
    assert found["attributes[text]"]["records"] == len(texts)
    assert found["attributes[text]"]["values"] == [
        {"value": start, "count": 3, "truncated": True},
        {"value": "short", "count": 2, "truncated": False},
        {"value": "", "count": 1, "truncated": False},
    ]


@pytest.mark.parametrize("most", [50_000, 5])
def test_a_service_is_one_field_and_not_an_attribute_too(
    client, clickhouse, put_logs, monkeypatch, most
):
    monkeypatch.setattr(facets_module, "SAMPLE_RECORDS", most)
    monkeypatch.setattr(sample_module, "RUN_ROWS", 1)
    resource = {"service.name": "shop", "service.version": "3", "host.name": "h"}
    workspace = f"once-{most}"
    rows = [
        stored_row(0)
        | {"Timestamp": ARRIVING_NS, "WorkspaceId": workspace, "ChunkRow": n}
        | {"ResourceAttributes": resource, "ServiceName": "shop", "ServiceVersion": "3"}
        for n in range(40)
    ]
    put_logs(clickhouse, rows)
    asked = {"workspace_id": workspace, "start_time_ms": ARRIVING_NS // 10**6}
    asked |= {"end_time_ms": ARRIVING_NS // 10**6}
    found = {facet["field"]: facet for facet in get(client, "facets", asked)["facets"]}
    assert {"service_name", "service_version", "attributes[host.name]"} <= found.keys()
    assert not {"attributes[service.name]", "attributes[service.version]"} & found.keys()

    [named] = get(client, "facets", asked | {"fields": "attributes[service.name]"})["facets"]
    assert named["values"] == [{"value": "shop", "count": 40, "truncated": False}]


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
