"""Filters, fields, facets and statistics share their names; every facet value is a filter."""

import json
import random

import pytest

from storage.clickhouse.client import Clickhouse
from storage.severity import LEVELS, NUMBER_OF
from tests.integration.web.test_stats import row

pytestmark = pytest.mark.integration

WORKSPACE = "vocabulary"
START_NS = 1_784_000_000 * 10**9
WHEN = {"workspace_id": WORKSPACE, "start": "2026-07-14T03:00Z", "end": "2026-07-14T04:00Z"}
TEXTS = (
    *("", "", "Warning", "warn", "WARN", "error", "Achtung", "ACHTUNG", "a, b", "UNSPECIFIED"),
    *("ошибка", "critical", "notice", 'say "x"', " info "),
)
VALUES = ("eu", "us", "", "a,b", 'say "x"', "%", "*", "x" * 256, "y" * 300)
KEYS = ("region", "", "user.id", "it's %s", "a]b")


def attributes(source):
    """Random values of random keys."""
    return {key: source.choice(VALUES) for key in KEYS if source.random() < 0.4}


def made():
    source = random.Random(18)
    rows = []
    for place in range(400):
        of_record, of_resource = attributes(source), attributes(source)
        if source.random() < 0.5:
            of_resource["app"] = source.choice(["shop", "admin"])
        varied = {
            "Timestamp": START_NS + place,
            "WorkspaceId": WORKSPACE,
            "SeverityText": source.choice(TEXTS),
            "SeverityNumber": source.choice([0, 0, *range(1, 30)]),
            "ServiceName": source.choice(["cart", "mail", "shop", ""]),
            "ServiceVersion": source.choice(["1.0", "2.0", ""]),
            "ScopeName": source.choice(["http", "db", ""]),
            "ClientId": source.choice(["web", "app"]),
            "Endpoint": source.choice(["/a,b", "/", ""]),
            "Body": source.choice(["timeout", "10.0.0.1:8080 refused", "at 12:30"]),
            "SpanId": source.choice(["", "b7ad6b7169203331"]),
            "LogAttributes": of_record,
            "ResourceAttributes": of_resource,
            "ChunkRow": place,
        }
        rows.append(row(0) | varied)
    return rows


@pytest.fixture(scope="module")
def _stored(engine_settings, put_logs):
    clickhouse = Clickhouse(engine_settings)
    put_logs(clickhouse, made())
    clickhouse.close()


@pytest.fixture
def ask(engine_settings, client_of, _stored):
    """GET a path below the API's prefix, in the workspace and the hour of the records."""
    client = client_of(engine_settings)

    def get(path, **parameters):
        response = client.get(f"/api/v1{path}", query_string=WHEN | parameters)
        assert response.status_code == 200, (parameters, response.text)
        return response.get_json()

    get.client = client
    return get


def quoted(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def in_list(text):
    """A value as one item of a comma-separated list."""
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def total(ask, **parameters):
    return ask("/logs/histogram", buckets=1, **parameters)["total"]


def facets(ask, **parameters):
    found = ask("/logs/facets", values=100, **parameters)["facets"]
    return {facet["field"]: facet for facet in found}


NAMED = (
    *("level", "severity_text", "service", "version", "client", "scope", "app"),
    *("attributes.region", "resource.region", "resource[region]", "attributes[user.id]"),
)


def test_every_value_of_a_facet_is_a_filter_that_finds_as_many(ask):
    shown = facets(ask) | facets(ask, fields=",".join(NAMED))
    assert {"severity", "attributes[]", "attributes[a]b]", *NAMED} <= set(shown)
    assert {value["value"] for value in shown["severity"]["values"]} >= {*LEVELS, "UNSPECIFIED"}

    takes_a_list = {"severity", "level", "severity_text"}
    not_in_q = {"attributes[a]b]", "attributes[it's %s]"}
    filters = 0
    for name, facet in shown.items():
        for value in facet["values"]:
            if value["truncated"]:
                continue
            text = value["value"]
            asked = {name: in_list(text) if name in takes_a_list else text}
            assert total(ask, **asked) == value["count"], asked
            if text and name not in not_in_q:
                query = f"{name}:{quoted(text)}"
                assert total(ask, q=query) == value["count"], query
            filters += 1
    assert filters > 80


def test_a_value_that_was_cut_off_says_so(ask):
    values = facets(ask, fields="attributes[region]")["attributes[region]"]["values"]
    cut = {value["value"]: value["truncated"] for value in values}
    assert cut["y" * 256]
    assert not cut["x" * 256]
    assert not cut["eu"]


SAME = (
    ({"severity": "Warning"}, {"level": "warn"}, {"severity_text": "WARN"}, {"q": "level:wrn"}),
    ({"service_name": "cart"}, {"service": "cart"}, {"q": "service:cart"}),
    ({"client_id": "web"}, {"client": "web"}, {"q": "client:web"}),
    ({"min_severity": "error"}, {"min_severity": 17}, {"min_level": "ERR"}),
    ({"scope_name": "db"}, {"scope": "db"}, {"q": "scope:db"}),
    ({"service_version": "2.0"}, {"version": "2.0"}, {"q": "version:2.0"}),
    ({"app": "shop"}, {"where": json.dumps({"app": "shop"})}, {"q": "app:shop"}),
    ({"resource.region": "eu"}, {"resource[region]": "eu"}, {"q": "resource.region:eu"}),
    ({"attributes.region": "eu"}, {"q": "attributes.region:eu"}),
    ({"attributes[region]": "eu"}, {"q": "attributes[region]:eu"}, {"q": "region:eu"}),
    (
        {"pattern": "<ip> refused"},
        {"where": json.dumps({"pattern": "<ip> refused"})},
        {"q": 'pattern:"<ip> refused"'},
    ),
    ({"search": "TIMEOUT"}, {"message": "timeout"}, {"q": "timeout"}),
)


@pytest.mark.parametrize("same", SAME, ids=lambda same: str(same[0]))
def test_every_name_of_a_filter_finds_the_same_everywhere(ask, same):
    for path, key in (
        ("/logs", "total_count"),
        ("/ingestion/logs/sorted", "total_count"),
        ("/stats", "total"),
        ("/ingestion/stats", "total"),
        ("/logs/histogram", "total"),
        ("/logs/facets", "total"),
        ("/logs/patterns", "total"),
    ):
        totals = [ask(path, **each)[key] for each in same]
        assert 0 < totals[0] < 400
        assert set(totals) == {totals[0]}, path
    for each in same:
        posted = ask.client.post("/api/v1/ingestion/query", json=WHEN | each)
        assert posted.get_json()["total_count"] == totals[0]


def test_both_statistics_tell_the_same(ask):
    merged_spellings = {"WARNING", "CRITICAL", "NOTICE", " INFO "}
    for asked in ({}, {"q": "timeout -level:warn"}, {"level": "error"}, {"app": "shop"}):
        one, other = ask("/stats", **asked), ask("/ingestion/stats", **asked)
        for name in ("total", "by_level", "by_severity", "by_service", "interval_ms"):
            assert one[name] == other[name]
        assert one["by_level"] == one["by_severity"]
        assert set(one["by_level"]) & merged_spellings == set()

    apps = ask("/apps", q="timeout", level="warn")["apps"]
    stats = ask("/stats", q="timeout level:warn")
    assert sum(app["count"] for app in apps) == stats["total"]


def test_counts_by_level_add_up_to_what_the_filter_finds(ask):
    for name, count in ask("/stats")["by_level"].items():
        assert ask("/stats", level=in_list(name))["total"] == count, name


@pytest.mark.parametrize(
    "text", ["10.0.0.1:8080", '"10.0.0.1:8080"', "10.0.0.1:8080 refused", '"12:30"']
)
def test_an_address_is_searched_for_as_it_is(ask, text):
    wanted = "12:30" if "12" in text else "8080"
    found = {log["body"] for log in ask("/logs", q=text)["logs"]}
    assert len(found) == 1
    assert wanted in found.pop()


def test_a_range_is_the_same_in_every_notation(ask):
    first, last = START_NS, START_NS + 399
    for start, end in (
        ("2026-07-14T03:33:20Z", "2026-07-14T03:33:20Z"),
        ("2026-07-14", "2026-07-14"),
        (first // 10**9, first // 10**9),
        (first // 10**6, first // 10**6),
        (first // 10**3, first // 10**3),
        (first, last),
        ("2026-07-14t03:33:20.000000000z", "2026-07-14 05:33:20.000000399 02:00"),
    ):
        for names in (("start_time_ms", "end_time_ms"), ("from", "to"), ("since", "until")):
            asked = {"workspace_id": WORKSPACE} | dict(zip(names, (start, end), strict=True))
            for path, key in (
                ("/api/v1/logs", "total_count"),
                ("/api/v1/stats", "total"),
                ("/api/v1/ingestion/query/time-range", "total_count"),
            ):
                answer = ask.client.get(path, query_string=asked).get_json()
                assert answer[key] == 400, (asked, path)


def test_a_cursor_goes_with_a_range_that_counts_from_now(ask):
    asked = {"workspace_id": WORKSPACE, "start": "2026-07-14", "end": "now", "limit": 150}
    answer = ask.client.get("/api/v1/logs", query_string=asked).get_json()
    found = len(answer["logs"])
    while answer["next_cursor"] is not None:
        following = asked | {"cursor": answer["next_cursor"]}
        answer = ask.client.get("/api/v1/logs", query_string=following).get_json()
        found += len(answer["logs"])

    assert found == 400


@pytest.mark.parametrize("written", ["1m", "60s", 60_000, "60000"])
@pytest.mark.parametrize("name", ["interval", "interval_ms"])
def test_an_interval_is_the_same_in_every_notation(ask, name, written):
    answer = ask("/logs/histogram", **{name: written})
    assert (answer["interval_ms"], len(answer["buckets"])) == (60_000, 61)


def test_all_spellings_of_levels_are_counted_as_one(ask, clickhouse, put_logs):
    workspace = "spellings"
    common = row(0) | {"Timestamp": START_NS, "WorkspaceId": workspace, "SeverityNumber": 0}
    rows = [
        common | {"ChunkRow": place, "SeverityText": text} for place, text in enumerate(NUMBER_OF)
    ]
    put_logs(clickhouse, rows)

    counted = ask("/stats", workspace_id=workspace)["by_level"]
    [app] = ask("/apps", workspace_id=workspace)["apps"]

    assert set(counted) == set(LEVELS)
    assert sum(counted.values()) == len(NUMBER_OF)
    assert app["error_count"] == counted["ERROR"] + counted["FATAL"]
