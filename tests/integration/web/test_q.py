"""The search language in the API: every endpoint takes it, and errors name the place."""

import pytest

pytestmark = pytest.mark.integration


def bodies(answer):
    assert answer.status_code == 200, answer.get_json()
    return sorted(log["body"] for log in answer.get_json()["logs"])


def timeouts(seeded):
    return sorted(
        row["Body"]
        for row in seeded
        if row["WorkspaceId"] == "default"
        and row["Body"] in {"timeout", "Timeout while reading from upstream"}
        and row["ServiceName"] != "mail"
    )


QUERY = "timeout -service:mail"


@pytest.mark.parametrize(
    "path", ["logs", "ingestion/logs/sorted", "ingestion/query/time-range", "ingestion/search"]
)
def test_every_page_takes_the_language(client, seeded, whole_range, path):
    asked = {**whole_range, "q": QUERY, "limit": 10_000}
    if path == "ingestion/search":
        asked["search"] = "timeout"
    assert bodies(client.get(f"/api/v1/{path}", query_string=asked)) == timeouts(seeded)


def test_a_json_body_takes_the_language(client, seeded, whole_range):
    asked = {**whole_range, "q": QUERY, "limit": 10_000}
    assert bodies(client.post("/api/v1/ingestion/query", json=asked)) == timeouts(seeded)


def test_statistics_count_what_the_query_finds(client, seeded, whole_range):
    asked = {**whole_range, "q": QUERY}
    answer = client.get("/api/v1/ingestion/stats", query_string=asked).get_json()
    assert answer["total"] == len(timeouts(seeded)) > 0


def test_the_query_stands_beside_the_other_filters(client, seeded, whole_range):
    asked = {**whole_range, "q": "timeout", "service_name": "cart", "limit": 10_000}
    expected = [
        row["Body"]
        for row in seeded
        if row["WorkspaceId"] == "default"
        and row["ServiceName"] == "cart"
        and row["Body"].lower().split()[:1] == ["timeout"]
    ]

    assert bodies(client.get("/api/v1/logs", query_string=asked)) == sorted(expected)


def test_pages_of_a_query_follow_each_other_and_its_cursor_is_its_own(client, seeded, whole_range):
    asked = {**whole_range, "q": QUERY, "limit": 7}
    answer = client.get("/api/v1/logs", query_string=asked)
    found = bodies(answer)
    cursor = answer.get_json()["next_cursor"]

    other = client.get("/api/v1/logs", query_string={**asked, "q": "timeout", "cursor": cursor})
    assert other.status_code == 422
    assert "filters" in other.get_json()["error"]["fields"]["cursor"][0]

    while cursor is not None:
        answer = client.get("/api/v1/logs", query_string={**asked, "cursor": cursor})
        found += bodies(answer)
        cursor = answer.get_json()["next_cursor"]
    assert sorted(found) == timeouts(seeded)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("a AND", "At character 6: The query ends too early"),
        ("x:/(/", "At character 3: Invalid regular expression"),
        ("severity_number:high", "At character 17: This field is a number"),
        ("(" * 100 + "a" + ")" * 100, "nested deeper"),
        ("a " * 500, "at most 200 terms"),
        ("x" * 5000, "at most 4096 characters"),
        ("  ", "The query is empty"),
    ],
)
def test_a_query_that_is_none_is_refused_with_place_and_hint(client, whole_range, text, hint):
    for answer in (
        client.get("/api/v1/logs", query_string={**whole_range, "q": text}),
        client.get("/api/v1/ingestion/stats", query_string={**whole_range, "q": text}),
        client.post("/api/v1/ingestion/query", json={**whole_range, "q": text}),
    ):
        assert answer.status_code == 422
        error = answer.get_json()["error"]
        assert list(error["fields"]) == ["q"]
        assert hint in error["fields"]["q"][0]
        assert "places" in error or len(text) > 4096


@pytest.mark.parametrize("path", ["logs", "logs/histogram", "traces", "logs/live"])
@pytest.mark.parametrize(
    ("text", "wrong"),
    [("a AND", ""), ("ok x:/(/ b", "/(/"), ("ok /items( b", "/items("), ('a "b c', '"b c')],
)
def test_a_mistake_in_a_query_has_a_place_that_can_be_underlined(client, path, text, wrong):
    answer = client.get(f"/api/v1/{path}", query_string={"q": text})
    assert answer.status_code == 422
    error = answer.get_json()["error"]
    [place] = error["places"]
    assert place["field"] == "q"
    assert text[place["position"] : place["position"] + place["length"]] == wrong
    assert error["fields"]["q"] == [f"At character {place['position'] + 1}: {place['text']}"]


@pytest.mark.parametrize(
    "text",
    [
        "'; DROP TABLE otel_logs --".replace("'", '"x'),
        'WorkspaceId:acme OR "x" OR 1=1',
        "(* OR *) OR client:*",
        "-nothing_has_this",
    ],
)
def test_no_query_leaves_its_workspace(client, whole_range, text):
    asked = {**whole_range, "q": text, "limit": 10_000}
    answer = client.get("/api/v1/logs", query_string=asked)
    if answer.status_code == 200:
        assert {log["workspace_id"] for log in answer.get_json()["logs"]} <= {"default"}
    else:
        assert answer.status_code == 422


@pytest.mark.parametrize(
    "text",
    ["?" * 4096, ("é-" * 2048), ('"' + "\\\\" * 2047 + '"'), "a" * 4096, "x:/" + "." * 4092 + "/"],
)
def test_the_longest_queries_are_answered(client, whole_range, text):
    answer = client.get("/api/v1/logs", query_string={**whole_range, "q": text})
    assert answer.status_code == 200, answer.get_json()


def test_the_document_describes_the_parameter(client):
    document = client.get("/openapi.json").get_json()
    parameters = document["paths"]["/api/v1/logs"]["get"]["parameters"]
    [described] = [each for each in parameters if each["name"] == "q"]
    assert "search language" in described["description"]
    example = described["schema"].get("example") or described["example"]
    assert client.get("/api/v1/logs", query_string={"q": example}).status_code == 200
