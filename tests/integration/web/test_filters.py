"""What a query finds, against the same filters evaluated over the rows in Python."""

import random

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
    """A record's level: its text's, without one its number's."""
    if text := row["SeverityText"].upper():
        return SPELLED.get(text, text)
    number = row["SeverityNumber"]
    return LEVELS[(number - 1) // 4] if number else "UNSPECIFIED"


def number(row):
    """A record's severity number, without one its text's."""
    return row["SeverityNumber"] or NUMBERS.get(level(row), 0)


def attribute(row, key):
    return row["LogAttributes"].get(key, row["ResourceAttributes"].get(key))


def holds(row, query):
    wanted = [SPELLED.get(text.upper(), text.upper()) for text in query.get("severity", [])]
    names = {"client_id": "ClientId", "service_name": "ServiceName", "endpoint": "Endpoint"}
    return (
        row["WorkspaceId"] == query.get("workspace_id", "default")
        and query["start_time_ms"] <= row["Timestamp"] // 1_000_000 <= query["end_time_ms"]
        and all(row[column] == query[name] for name, column in names.items() if name in query)
        and row["TraceId"] == query.get("trace_id", row["TraceId"])
        and (not wanted or level(row) in wanted)
        and number(row) >= query.get("min_severity", 0)
        and query.get("search", "").lower() in row["Body"].lower()
        and all(attribute(row, key) == value for key, value in query.get("attributes", {}).items())
    )


def place(row):
    return row["Timestamp"], row["ChunkId"], row["ChunkRow"]


def random_query(source, whole_range):
    start, end = whole_range["start_time_ms"], whole_range["end_time_ms"]
    choices = {
        "workspace_id": lambda: source.choice(["default", "acme", "nobody"]),
        "client_id": lambda: source.choice(["default", "web", "app"]),
        "severity": lambda: source.sample(["info", "INFO", "warning", "Error", "fatal"], 2),
        "min_severity": lambda: source.choice([1, 9, 10, 17, 24]),
        "search": lambda: source.choice(SEARCHES),
        "service_name": lambda: source.choice(["cart", "it's `odd` \\ %s"]),
        "endpoint": lambda: source.choice(["/api/items", "/login"]),
        "trace_id": lambda: f"{source.randrange(40):032x}",
        "attributes": lambda: {
            source.choice(["region", "host", "user.id", "empty", "absent"]): source.choice(
                ["eu", "us", "", "h1", "2"]
            )
        },
    }
    query = {"start_time_ms": start, "end_time_ms": end, "limit": 10_000}
    if source.random() < 0.3:
        query["start_time_ms"] = source.randrange(start, end)
        query["end_time_ms"] = source.randrange(query["start_time_ms"], end)
    query |= {
        name: choices[name]()
        for name in source.sample(sorted(choices), source.choice([0, 1, 1, 2, 3]))
    }
    return {**query, "order": source.choice(["asc", "desc"])}


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
    row = next(
        row for row in seeded if row["WorkspaceId"] == "acme" and row["Timestamp"] % 1_000_000
    )
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
        severities = [level(row) for row in rows]
        services = [row["ServiceName"] for row in rows]
        assert stats["total"] == len(rows)
        assert stats["by_severity"] == {name: severities.count(name) for name in set(severities)}
        assert stats["by_service"] == {name: services.count(name) for name in set(services)}
        for bucket in stats["over_time"]:
            end = bucket["start_ms"] + stats["interval_ms"]
            within = [row for row in rows if bucket["start_ms"] <= row["Timestamp"] // 10**6 < end]
            assert bucket["count"] == len(within) == sum(bucket["by_severity"].values())
        assert sum(bucket["count"] for bucket in stats["over_time"]) == len(rows)
