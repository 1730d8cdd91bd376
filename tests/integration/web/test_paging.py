"""Pages by cursor and by offset, single log records, and the separation of workspaces."""

import time

import pytest

pytestmark = pytest.mark.integration


def all_pages(client, query, path="/api/v1/logs", between=lambda: None):
    """Follow the cursors from the first page to the last; `between()` runs before each next one."""
    pages, cursor = [], None
    while True:
        extra = {"cursor": cursor} if cursor else {}
        response = client.get(path, query_string={**query, **extra})
        assert response.status_code == 200, response.text

        page = response.get_json()
        pages.append(page)
        assert page["has_more"] == (page["next_cursor"] is not None)
        if not page["has_more"]:
            return pages
        cursor = page["next_cursor"]
        between()


def span_ids(logs):
    return [log["span_id"] for log in logs]


def spans(pages):
    """The span ids of all records of these pages, by which the tests tell records apart."""
    found = []
    for page in pages:
        found += span_ids(page["logs"])
    return found


def place(row):
    return row["Timestamp"], row["ChunkId"], row["ChunkRow"]


def in_order(rows, order, workspace="default"):
    of_workspace = [row for row in rows if row["WorkspaceId"] == workspace]
    of_workspace.sort(key=place, reverse=order == "desc")
    return [row["SpanId"] for row in of_workspace]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 7, 100])
def test_pages_by_cursor_give_every_record_once_through_equal_times(
    client, seeded, whole_range, order, limit
):
    expected = in_order(seeded, order)
    assert len({row["Timestamp"] for row in seeded}) < len(seeded) / 2

    query = {**whole_range, "limit": limit, "order": order, "count": limit > 1}
    pages = all_pages(client, query)
    assert spans(pages) == expected

    counts = {page["total_count"] for page in pages}
    assert counts == ({len(expected)} if limit > 1 else {None})


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [7, 100])
def test_pages_back_from_the_last_are_the_pages_that_led_there(client, whole_range, order, limit):
    query = {**whole_range, "limit": limit, "order": order}
    *earlier, page = all_pages(client, query)
    first = earlier[0]
    assert first["previous_cursor"] is None

    for expected in reversed(earlier):
        cursor = page["previous_cursor"]
        page = client.get("/api/v1/logs", query_string={**query, "cursor": cursor}).get_json()
        assert page["logs"] == expected["logs"]
        assert page["has_more"]
        assert page["next_cursor"] == expected["next_cursor"]
        assert page["total_count"] == first["total_count"]
    assert not page["previous_cursor"]


def test_the_page_before_one_that_was_reached_by_offset_ends_where_it_begins(
    client, seeded, whole_range
):
    expected = in_order(seeded, "desc")
    query = {**whole_range, "limit": 10}
    page = client.get("/api/v1/logs", query_string={**query, "offset": 25}).get_json()
    cursor = page["previous_cursor"]
    previous = client.get("/api/v1/logs", query_string={**query, "cursor": cursor}).get_json()
    assert spans([previous, page]) == expected[15:35]


def test_pages_by_offset_give_every_record_once(client, seeded, whole_range):
    expected = in_order(seeded, "desc")
    found = []
    for offset in range(0, len(expected) + 50, 50):
        query = {**whole_range, "limit": 50, "offset": offset}
        page = client.get("/api/v1/logs", query_string=query).get_json()
        found += [log["span_id"] for log in page["logs"]]
        assert page["has_more"] == (offset + 50 < len(expected))
        assert page["total_count"] == len(expected)
    assert found == expected


def test_records_that_arrive_between_pages_neither_repeat_nor_hide_others(
    client, clickhouse, seeded, put_logs
):
    base = {**seeded[0], "WorkspaceId": "growing"}
    first = 1_784_600_000_000_000_000
    old = [
        {**base, "Timestamp": first + n // 3 * 1_000_000, "SpanId": f"old{n}", "ChunkRow": n}
        for n in range(60)
    ]
    put_logs(clickhouse, old)
    late = iter(range(1000))

    def one_more_everywhere():
        n = next(late)
        new = {**base, "SpanId": f"new{n}", "ChunkRow": 1000 + n}
        times = [first - 1_000_000, first + n * 1_000_000, first + 90_000_000]
        put_logs(clickhouse, [{**new, "Timestamp": time} for time in times])

    query = {
        "workspace_id": "growing",
        "start_time_ms": 1_784_599_990_000,
        "end_time_ms": 1_784_600_010_000,
        "limit": 9,
    }
    seen = spans(all_pages(client, query, between=one_more_everywhere))

    expected = [row["SpanId"] for row in reversed(old)]
    assert [span_id for span_id in seen if span_id.startswith("old")] == expected


def test_the_way_back_shows_what_arrived_there_meanwhile(client, clickhouse, seeded, put_logs):
    first = 1_784_700_000_000
    base = {**seeded[0], "WorkspaceId": "growing-back"}

    def record(n):
        return {**base, "Timestamp": (first + n) * 1_000_000, "SpanId": f"s{n}", "ChunkRow": n}

    put_logs(clickhouse, [record(n) for n in range(0, 20, 2)])
    query = {
        "workspace_id": "growing-back",
        "start_time_ms": first,
        "end_time_ms": first + 99,
        "limit": 5,
        "order": "asc",
    }
    last = all_pages(client, query)[-1]
    assert spans([last]) == ["s10", "s12", "s14", "s16", "s18"]

    put_logs(clickhouse, [record(9)])
    cursor = last["previous_cursor"]
    previous = client.get("/api/v1/logs", query_string={**query, "cursor": cursor}).get_json()
    assert spans([previous]) == ["s2", "s4", "s6", "s8", "s9"]


def test_a_cursor_of_the_default_range_keeps_that_range(client, clickhouse, seeded, put_logs):
    now = time.time_ns() // 1_000_000
    base = {**seeded[0], "WorkspaceId": "recent"}
    rows = [
        {**base, "Timestamp": (now - n * 1000) * 1_000_000, "SpanId": f"s{n}", "ChunkRow": n}
        for n in range(20)
    ]
    put_logs(clickhouse, rows)

    found = spans(all_pages(client, {"workspace_id": "recent", "limit": 6}))
    assert found == [f"s{n}" for n in range(20)]


@pytest.mark.parametrize(
    "change",
    [
        {"workspace_id": "acme"},
        {"search": "timeout"},
        {"order": "asc"},
        {"min_severity": 9},
        {"attributes[a]": "b"},
        {"end_time_ms": 1784999999999},
    ],
)
def test_a_cursor_is_refused_with_another_query(client, whole_range, change):
    query = {**whole_range, "limit": 3}
    cursor = client.get("/api/v1/logs", query_string=query).get_json()["next_cursor"]
    refused = client.get("/api/v1/logs", query_string={**query, "cursor": cursor, **change})
    assert refused.status_code == 422
    assert list(refused.get_json()["error"]["fields"]) == ["cursor"]


def test_a_log_is_found_by_its_id_in_its_workspace_only(client, whole_range):
    query = {**whole_range, "limit": 5, "workspace_id": "acme"}
    for log in client.get("/api/v1/logs", query_string=query).get_json()["logs"]:
        path = f"/api/v1/logs/{log['id']}"
        found = client.get(path, headers={"x-workspace-id": "acme"})
        assert found.get_json()["log"] == log
        assert client.get(path).status_code == 404
        assert client.get(path, query_string={"workspace_id": "nobody"}).status_code == 404


@pytest.fixture(scope="module")
def stream_rows():
    """Eighty records of four sources, which take turns; the last one is in another workspace."""
    base = {
        "TraceId": "",
        "SeverityText": "INFO",
        "SeverityNumber": 9,
        "Body": "line",
        "ScopeName": "",
        "LogAttributes": {},
        "ServiceVersion": "",
        "Endpoint": "",
        "ChunkId": 9,
        "RetentionDays": 0,
        "ServiceName": "cart",
    }
    sources = [
        ("streams", "web", {"service.name": "cart", "host": "h1"}),
        ("streams", "web", {"service.name": "cart", "host": "h1", "zone": ""}),
        ("streams", "app", {"host": "h1", "service.name": "cart"}),
        ("other-streams", "web", {"service.name": "cart", "host": "h1"}),
    ]
    rows = []
    for n in range(80):
        workspace, client_id, resource = sources[n % 4]
        row = base | {
            "WorkspaceId": workspace,
            "ClientId": client_id,
            "ResourceAttributes": resource,
            "SpanId": f"s{n}",
            "ChunkRow": n,
            "Timestamp": (1_784_800_000_000 + n // 8) * 1_000_000,
        }
        rows.append(row)
    return rows


@pytest.fixture
def stream_log(client, clickhouse, put_logs, stream_rows):
    """The path and the workspace of the record `s40`; every fourth record is in its stream."""
    if not clickhouse.query("SELECT 1 FROM otel_logs WHERE WorkspaceId = 'streams' LIMIT 1"):
        put_logs(clickhouse, stream_rows)
    query = {
        "workspace_id": "streams",
        "start_time_ms": 1_784_799_999_000,
        "end_time_ms": 1_784_800_001_000,
    }
    logs = client.get("/api/v1/logs", query_string=query).get_json()["logs"]
    [found] = [log["id"] for log in logs if log["span_id"] == "s40"]
    return f"/api/v1/logs/{found}", {"workspace_id": "streams"}


def test_a_log_comes_with_the_lines_around_it(client, stream_log):
    path, workspace = stream_log
    answer = client.get(path, query_string={**workspace, "surrounding": 3}).get_json()
    assert span_ids(answer["before"]) == ["s28", "s32", "s36"]
    assert span_ids(answer["after"]) == ["s44", "s48", "s52"]


def test_the_lines_around_a_log_can_be_read_on_to_both_ends_of_its_stream(client, stream_log):
    path, workspace = stream_log

    def lines(**cursor):
        query = {**workspace, "before": 4, "after": 2, **cursor}
        return client.get(f"{path}/surrounding", query_string=query).get_json()

    start = lines()
    before, after = start["before"], start["after"]

    cursor = start["previous_cursor"]
    while cursor:
        earlier = lines(cursor=cursor)
        assert earlier["after"] == []
        before = earlier["before"] + before
        cursor = earlier["previous_cursor"]

    cursor = start["next_cursor"]
    while cursor:
        later = lines(cursor=cursor)
        assert later["before"] == []
        after = after + later["after"]
        cursor = later["next_cursor"]

    assert span_ids([*before, start["log"], *after]) == [f"s{n}" for n in range(0, 80, 4)]


def test_a_cursor_of_other_lines_leads_nowhere_else(client, stream_log, whole_range):
    path, workspace = stream_log
    foreign = client.get("/api/v1/logs", query_string={**whole_range, "limit": 3}).get_json()
    query = {**workspace, "cursor": foreign["next_cursor"]}
    refused = client.get(f"{path}/surrounding", query_string=query)

    assert refused.status_code == 422
    assert list(refused.get_json()["error"]["fields"]) == ["cursor"]

    gone = client.get(f"{path}/surrounding", query_string={"workspace_id": "other-streams"})
    assert gone.status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/logs",
        "/api/v1/ingestion/search",
        "/api/v1/ingestion/logs/sorted",
        "/api/v1/ingestion/query/time-range",
        "/api/v1/ingestion/query",
    ],
)
def test_no_route_shows_another_workspace(client, seeded, whole_range, path):
    query = {**whole_range, "limit": 10_000, "search": "t"}
    matching = [row for row in seeded if "t" in row["Body"].lower()]
    for headers, workspace in (({"x-workspace-id": "acme"}, "acme"), ({}, "default")):
        if path.endswith("/query"):
            response = client.post(path, json=query, headers=headers)
        else:
            response = client.get(path, query_string=query, headers=headers)
        logs = response.get_json()["logs"]
        assert {log["workspace_id"] for log in logs} == {workspace}
        assert sorted(span_ids(logs)) == sorted(in_order(matching, "asc", workspace))
