import json

import pytest

ROUTES = ("/api/v1/logs", "/api/v1/ingestion/logs/sorted", "/api/v1/ingestion/stats")

WRONG = [
    ("limit", 0),
    ("limit", 10_001),
    ("limit", "ten"),
    ("limit", "1.5"),
    ("limit", "٣"),
    ("offset", -1),
    ("offset", 100_001),
    ("start_time_ms", -1),
    ("start_time_ms", 10**19),
    ("start_time_ms", 4_291_747_200_000),
    ("end_time_ms", "tomorrow"),
    ("start_time_ms", "2026-02-30"),
    ("min_severity", "loud"),
    ("trace_id", "xyz"),
    ("span_id", "xyz"),
    ("min_severity", 0),
    ("min_severity", 25),
    ("severity", ""),
    ("search", ""),
    ("search", "x" * 4097),
    ("order", "newest"),
    ("count", "perhaps"),
    ("cursor", "not-a-cursor"),
    ("cursor", "A" * 513),
    ("workspace_id", "a b"),
    ("workspace_id", "ok\n"),
    ("workspace_id", ""),
    ("client_id", "'; DROP TABLE otel_logs"),
    ("attributes", "[1]"),
    ("attributes", "{"),
    ("attributes", json.dumps({"a": {"b": "c"}})),
    ("attributes", json.dumps({"a": None})),
    ("attributes", json.dumps({str(n): "x" for n in range(21)})),
    ("unheard_of", "x"),
]


def fields_of(response):
    """The wrong fields that a refusal names."""
    assert response.status_code == 422, response.text
    return set(response.get_json()["error"]["fields"])


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_query_parameter_is_named(client, name, value):
    [field] = fields_of(client.get("/api/v1/logs", query_string={name: value}))
    assert field.split(".")[0] == name


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_field_of_a_body_is_named(client, name, value):
    [field] = fields_of(client.post("/api/v1/ingestion/query", json={name: value}))
    assert field.split(".")[0] == name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", True),
        ("limit", 1.5),
        ("limit", None),
        ("limit", [1]),
        ("search", "half a pair: \ud800"),
        ("search", 7),
        ("severity", [["a"]]),
        ("severity", []),
        ("attributes", {"\udfff": "x"}),
        ("attributes", []),
    ],
)
def test_a_body_of_wrong_types_is_refused_by_field(client, name, value):
    [field] = fields_of(client.post("/api/v1/ingestion/query", json={name: value}))
    assert field.split(".")[0] == name


def test_all_wrong_parameters_are_named_at_once(client):
    query = {"limit": 0, "order": "up", "colour": "red"}
    assert fields_of(client.get("/api/v1/logs", query_string=query)) == set(query)


@pytest.mark.parametrize("route", ROUTES)
def test_a_start_after_the_end_is_refused(client, route):
    query = {"start_time_ms": 2000, "end_time_ms": 1999}
    assert fields_of(client.get(route, query_string=query)) == {"start_time_ms"}


def test_a_start_in_the_future_needs_an_end(client):
    query = {"start_time_ms": 4_000_000_000_000}
    assert fields_of(client.get("/api/v1/logs", query_string=query)) == {"start_time_ms"}


def test_a_single_valued_parameter_given_twice_is_refused(client):
    assert fields_of(client.get("/api/v1/logs?limit=1&limit=2")) == {"limit"}
    assert fields_of(client.get("/api/v1/logs?search=a&search=b")) == {"search"}
    assert fields_of(client.get("/api/v1/logs?attributes[a]=1&attributes[a]=2")) == {"attributes.a"}


def reason_of(response):
    """The reason that a refusal gives for its only wrong field."""
    assert response.status_code == 422, response.text
    [[reason]] = response.get_json()["error"]["fields"].values()
    return reason


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("/api/v1/logs?limit=1&limit=2", "1, 2"),
        ("/api/v1/logs?level=a&search=b&search=c", "b, c"),
        ("/api/v1/logs?from=now-1h&from=now", "now-1h, now"),
        ("/api/v1/stats?buckets=5&buckets=6", "5, 6"),
        ("/api/v1/traces?status=ok&status=error", "ok, error"),
        ("/api/v1/logs?attributes[a]=1&attributes[a]=2", "1, 2"),
    ],
)
def test_a_repeated_parameter_is_told_with_its_values(client, path, values):
    reason = reason_of(client.get(path))
    assert reason == f"Given more than once: {values}. Give one value."


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("/api/v1/logs?servce=cart", "service"),
        ("/api/v1/logs?serviceName=cart", "service_name"),
        ("/api/v1/logs?severty=error", "severity"),
        ("/api/v1/logs?lvl=error", "level"),
        ("/api/v1/logs?traceId=ab", "trace_id"),
        ("/api/v1/logs?start_tme=1", "start_time"),
        ("/api/v1/stats?bucket=3", "buckets"),
        ("/api/v1/logs/histogram?intervall=1m", "interval"),
        ("/api/v1/traces?min_duratoin=1", "min_duration"),
        ("/api/v1/metrics/query?metric=a&aggregation=avg&intervl=1m", "interval"),
        ("/api/v1/jobs?limt=3", "limit"),
        ("/api/v1/dead-letters?signl=logs", "signal"),
        ("/api/v1/logs/facets?fields=servce", "service"),
    ],
)
def test_the_nearest_name_is_suggested_for_an_unknown_one(client, path, near):
    assert reason_of(client.get(path)).endswith(f"Did you mean {near}?")


def test_an_unknown_field_of_a_body_gets_a_suggestion_too(client):
    posted = client.post("/api/v1/ingestion/query", json={"servce": "cart"})
    assert reason_of(posted) == "Unknown parameter. Did you mean service?"


def test_a_name_that_is_like_none_gets_no_suggestion(client):
    assert reason_of(client.get("/api/v1/logs?zzz=1")) == "Unknown parameter."


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/logs?service=a&service_name=a",
        "/api/v1/logs?level=info&severity_text=warn",
        "/api/v1/stats?from=now-1h&start_time_ms=5",
    ],
)
def test_two_names_of_one_parameter_are_refused(client, path):
    assert "Give it once." in reason_of(client.get(path))


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/v1/logs?from=yesterday", "from"),
        ("/api/v1/logs?since=now&until=now-1h", "since"),
        ("/api/v1/logs/histogram?interval_ms=0", "interval_ms"),
        ("/api/v1/metrics/query?metric=a&aggregation=avg&step=1x", "step"),
        ("/api/v1/stats?level=", "level"),
        ("/api/v1/traces?min_duration=5s&max_duration=1s", "min_duration"),
        ("/api/v1/traces/xyz", "trace_id"),
        ("/api/v1/logs?where[severity_number]=high", "where.severity_number"),
    ],
)
def test_an_error_names_a_parameter_as_it_was_given(client, path, field):
    assert fields_of(client.get(path)) == {field}


def test_an_end_before_the_start_is_told_by_the_names_that_were_given(client):
    reason = reason_of(client.get("/api/v1/logs?from=2026-07-15&to=2026-07-14"))
    assert reason == "from must not be after to."


def test_attributes_come_as_json_or_as_keys_but_not_both(client):
    query = {"attributes": "{}", "attributes[a]": "1"}
    assert fields_of(client.get("/api/v1/logs", query_string=query)) == {"attributes"}


def test_cursor_and_offset_exclude_each_other(client):
    query = {"cursor": "x", "offset": 0}
    assert fields_of(client.get("/api/v1/logs", query_string=query)) == {"offset"}


def test_a_workspace_header_that_contradicts_the_parameter_is_refused(client):
    parameters, headers = {"workspace_id": "a"}, {"x-workspace-id": "b"}

    for path in (*ROUTES, "/api/v1/logs/AAAA"):
        answer = client.get(path, query_string=parameters, headers=headers)
        assert fields_of(answer) == {"workspace_id"}

    posted = client.post("/api/v1/ingestion/query", json=parameters, headers=headers)
    assert fields_of(posted) == {"workspace_id"}


def test_a_malformed_workspace_header_is_refused(client):
    response = client.get("/api/v1/logs", headers={"x-workspace-id": "a b"})
    assert fields_of(response) == {"x-workspace-id"}


def test_required_parameters_are_named(client):
    assert fields_of(client.get("/api/v1/ingestion/search")) == {"search"}
    missing = fields_of(client.get("/api/v1/ingestion/query/time-range"))
    assert missing == {"start_time_ms", "end_time_ms"}


def test_a_malformed_id_is_refused(client):
    for token in ("x", "%00", "A" * 28, "*" * 28):
        assert fields_of(client.get(f"/api/v1/logs/{token}")) == {"log_id"}


def test_query_parameters_beside_a_body_are_refused(client):
    posted = client.post("/api/v1/ingestion/query?limit=3", json={})
    assert fields_of(posted) == {"limit"}


@pytest.mark.parametrize(
    "content_type",
    ["application/x-www-form-urlencoded", "text/plain", "application/octet-stream", ""],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/ingestion/query"),
        ("POST", "/api/v1/metrics/query"),
        ("POST", "/api/v1/jobs/export"),
        ("DELETE", "/api/v1/logs"),
        ("DELETE", "/api/v1/traces"),
        ("PUT", "/api/v1/retention"),
    ],
)
def test_json_is_read_whatever_type_curl_gives_it(client, method, path, content_type):
    headers = {"Content-Type": content_type} if content_type else {}
    answer = client.open(path, method=method, data='{"unknown_": 1}', headers=headers)
    assert answer.status_code == 422
    assert "unknown_" in fields_of(answer)

    # A page can make a browser send this type without asking the API first.
    for origin, status in (("http://elsewhere.example", 403), ("http://localhost", 415)):
        headers["Origin"] = origin
        answer = client.open(path, method=method, data="{}", headers=headers)
        assert answer.status_code == status, origin


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("{", "application/json", 400),
        ("\xff".encode("latin-1"), "application/json", 400),
        ("[" * 100_000, "application/json", 400),
        ("limit=3", "application/x-www-form-urlencoded", 400),
        ("limit=3", "", 400),
        ("limit=3", "multipart/form-data; boundary=x", 415),
        ("<a/>", "application/xml", 415),
        ("[]", "application/json", 422),
        ('"text"', "application/json", 422),
        ("{}" + " " * 2**20, "application/json", 413),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(client, body, content_type, status):
    posted = client.post("/api/v1/ingestion/query", data=body, content_type=content_type)
    assert posted.status_code == status
    assert posted.get_json()["error"]["code"] == status
