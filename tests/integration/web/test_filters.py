"""What a query finds, compared with the same filters evaluated over the rows in Python."""

import random
from collections import Counter

import pytest

from storage.severity import LEVELS

pytestmark = pytest.mark.integration

SEARCHES = (
    *("timeout", "Timeout while", "OUT", "while reading", "100%", "100 percent_", "percent_done"),
    *("a\\b", "'quoted'", '"twice"', "`thrice`", "ошибка", "Ошибка соединения: code-42 retry"),
    *("GRÖSSE", "größe über", "café", "line\nsecond", "\tends", "%(v0)s", "--", ";", "<script>"),
    *("nothing has this", "x=%", "{} {curly}", "соединения: code-42 retry lat"),
)


SPELLED = {"WARNING": "WARN"}
NUMBERS = {"INFO": 9, "WARN": 13, "ERROR": 17}


def level(row):
    """The level of a record: by its text, or else by its number."""
    text = row["SeverityText"].upper()
    if text:
        return SPELLED.get(text, text)
    number = row["SeverityNumber"]
    return LEVELS[(number - 1) // 4] if number else "UNSPECIFIED"


def number(row):
    """The severity number of a record, or else that of its text."""
    return row["SeverityNumber"] or NUMBERS.get(level(row), 0)


def attribute(row, key):
    return row["LogAttributes"].get(key, row["ResourceAttributes"].get(key))


COLUMNS = {
    "client_id": "ClientId",
    "service_name": "ServiceName",
    "endpoint": "Endpoint",
    "trace_id": "TraceId",
}


def holds(row, query):
    """Whether a record passes all filters of a query."""
    if row["WorkspaceId"] != query.get("workspace_id", "default"):
        return False
    if not query["start_time_ms"] <= row["Timestamp"] // 1_000_000 <= query["end_time_ms"]:
        return False
    for name, column in COLUMNS.items():
        if name in query and row[column] != query[name]:
            return False
    for key, value in query.get("attributes", {}).items():
        if attribute(row, key) != value:
            return False

    levels = [SPELLED.get(text.upper(), text.upper()) for text in query.get("severity", [])]
    return (
        (not levels or level(row) in levels)
        and number(row) >= query.get("min_severity", 0)
        and query.get("search", "").lower() in row["Body"].lower()
    )


def place(row):
    return row["Timestamp"], row["ChunkId"], row["ChunkRow"]


def random_query(source, whole_range):
    """A query with up to three random filters."""
    start, end = whole_range["start_time_ms"], whole_range["end_time_ms"]
    query = {"start_time_ms": start, "end_time_ms": end, "limit": 10_000}
    if source.random() < 0.3:
        query["start_time_ms"] = source.randrange(start, end)
        query["end_time_ms"] = source.randrange(query["start_time_ms"], end)

    choices = {
        "workspace_id": ["default", "acme", "nobody"],
        "client_id": ["default", "web", "app"],
        "min_severity": [1, 9, 10, 17, 24],
        "search": SEARCHES,
        "service_name": ["cart", "it's `odd` \\ %s"],
        "endpoint": ["/api/items", "/login"],
        "trace_id": [f"{number:032x}" for number in range(40)],
    }
    names = sorted([*choices, "severity", "attributes"])
    for name in source.sample(names, source.choice([0, 1, 1, 2, 3])):
        if name == "severity":
            query[name] = source.sample(["info", "INFO", "warning", "Error", "fatal"], 2)
        elif name == "attributes":
            key = source.choice(["region", "host", "user.id", "empty", "absent"])
            query[name] = {key: source.choice(["eu", "us", "", "h1", "2"])}
        else:
            query[name] = source.choice(choices[name])
    query["order"] = source.choice(["asc", "desc"])
    return query


def found(answer):
    return [log["span_id"] for log in answer["logs"]]


@pytest.mark.parametrize("seed", range(8))
def test_queries_find_exactly_what_their_filters_mean(client, seeded, whole_range, seed):
    source = random.Random(seed)
    hits = 0
    for _ in range(25):
        query = random_query(source, whole_range)
        answer = client.post("/api/v1/ingestion/query", json=query).get_json()
        rows = sorted((row for row in seeded if holds(row, query)), key=place)
        if query["order"] == "desc":
            rows.reverse()
        assert found(answer) == [row["SpanId"] for row in rows], query
        assert answer["total_count"] == len(rows)
        assert answer["has_more"] is False
        assert answer["next_cursor"] is None
        hits += len(rows)
    assert hits > 0


@pytest.mark.parametrize("text", SEARCHES)
def test_a_search_finds_every_body_that_contains_the_text(client, seeded, whole_range, text):
    query = {**whole_range, "search": text, "limit": 10_000}
    answer = client.get("/api/v1/ingestion/search", query_string=query).get_json()
    assert set(found(answer)) == {row["SpanId"] for row in seeded if holds(row, query)}


def test_body_and_query_parameters_mean_the_same(client, whole_range):
    attributes = {"region": "eu", "user.id": "2"}
    body = {**whole_range, "severity": ["info", "error"], "attributes": attributes}
    as_keys = {
        **whole_range,
        "severity": ["info", "error"],
        **{f"attributes[{key}]": value for key, value in attributes.items()},
    }
    as_json = {
        **whole_range,
        "severity": "info, error",
        "attributes": '{"region": "eu", "user.id": 2}',
    }
    answers = [
        client.post("/api/v1/ingestion/query", json=body),
        client.get("/api/v1/logs", query_string=as_keys),
        client.get("/api/v1/ingestion/query/time-range", query_string=as_json),
        client.get("/api/v1/ingestion/logs/sorted", query_string=as_json),
    ]

    assert {answer.status_code for answer in answers} == {200}

    first, *others = [found(answer.get_json()) for answer in answers]
    assert first
    assert all(other == first for other in others)


def test_a_log_keeps_its_nanoseconds_and_all_its_fields(client, seeded, whole_range):
    of_acme = [row for row in seeded if row["WorkspaceId"] == "acme"]
    row = next(row for row in of_acme if row["Timestamp"] % 1_000_000)
    query = {**whole_range, "workspace_id": "acme", "limit": 10_000}
    answer = client.get("/api/v1/logs", query_string=query).get_json()
    log = next(log for log in answer["logs"] if log["span_id"] == row["SpanId"])

    assert log["timestamp"].endswith(f".{row['Timestamp'] % 10**9:09}Z")
    assert log["timestamp"].startswith("2026-07-14T")
    assert log["timestamp_ms"] == row["Timestamp"] // 1_000_000

    expected = {
        "workspace_id": "acme",
        "client_id": row["ClientId"],
        "severity_text": row["SeverityText"],
        "severity_number": row["SeverityNumber"],
        "body": row["Body"],
        "service_name": row["ServiceName"],
        "service_version": "1.2",
        "endpoint": row["Endpoint"],
        "trace_id": row["TraceId"],
        "scope_name": "scope",
        "resource_attributes": row["ResourceAttributes"],
        "log_attributes": row["LogAttributes"],
    }
    assert {name: log[name] for name in expected} == expected


def test_a_body_that_is_not_utf8_is_still_answered(client, clickhouse):
    clickhouse.query(
        "INSERT INTO otel_logs (Timestamp, Body, WorkspaceId) "
        "SELECT fromUnixTimestamp64Nano(toInt64(1784500000000000000)), unhex('ff41'), 'bytes'"
    )
    query = {"start_time_ms": 1784500000000, "end_time_ms": 1784500000000, "workspace_id": "bytes"}
    [log] = client.get("/api/v1/logs", query_string=query).get_json()["logs"]

    assert log["body"] == "\ufffdA"


def test_stats_count_exactly_what_a_query_finds(client, seeded, whole_range):
    for extra in ({}, {"min_severity": 13}, {"search": "timeout"}, {"workspace_id": "acme"}):
        query = {**whole_range, **extra}
        stats = client.get("/api/v1/ingestion/stats", query_string=query).get_json()
        rows = [row for row in seeded if holds(row, query)]

        assert stats["total"] == len(rows)
        assert stats["by_severity"] == Counter(level(row) for row in rows)
        assert stats["by_service"] == Counter(row["ServiceName"] for row in rows)

        for bucket in stats["over_time"]:
            start = bucket["start_ms"]
            end = start + stats["interval_ms"]
            within = [row for row in rows if start <= row["Timestamp"] // 10**6 < end]
            assert bucket["count"] == len(within) == sum(bucket["by_severity"].values())
        assert sum(bucket["count"] for bucket in stats["over_time"]) == len(rows)
