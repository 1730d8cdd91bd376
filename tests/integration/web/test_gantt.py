"""The waterfall over REST: which traces it shows, and what it refuses."""

import json
import re

import pytest

from storage.clickhouse.client import Clickhouse
from storage.query.traces import read
from tests.integration.made_traces import MS, START_NS, MadeSpan, put
from web.traces.gantt import routes

pytestmark = pytest.mark.integration

WORKSPACE = "gantt"
HOSTILE = "</script><img src=x onerror='alert(1)'>"


def made(trace, number=1, **changes):
    return MadeSpan(trace=trace, id=number, **changes)


SPANS = (
    made(0xA1, attributes={"run_id": "nightly"}, duration=50),
    made(0xA1, 2, parent=1, start=10, status="error", events=((START_NS + MS, "retry", {}),)),
    made(0xA2, start=90_000, resource={"run_id": "nightly"}, name="second"),
    made(0xA3, attributes={"run_id": "weekly, 'odd' %"}, name=HOSTILE),
    made(0xA4, attributes={"job": "nightly"}),
)


@pytest.fixture(scope="module")
def stored(engine_settings, put_logs):
    """Spans and log records in two workspaces."""
    put(engine_settings, WORKSPACE, SPANS)
    put(engine_settings, f"{WORKSPACE}-other", [made(0xA1, attributes={"run_id": "elsewhere"})])
    texts = {"ScopeName", "ClientId", "ServiceVersion", "Endpoint"}
    line = dict.fromkeys(texts, "") | {
        "Timestamp": START_NS + 12 * MS,
        "TraceId": SPANS[0].trace_id,
        "SpanId": SPANS[1].span_id,
        "SeverityText": "ERROR",
        "SeverityNumber": 17,
        "ServiceName": "shop",
        "Body": "it broke",
        "ResourceAttributes": {},
        "LogAttributes": {"why": "bad luck"},
        "WorkspaceId": WORKSPACE,
        "ChunkId": 1,
        "ChunkRow": 0,
        "RetentionDays": 0,
    }
    clickhouse = Clickhouse(engine_settings)
    put_logs(clickhouse, [line, line | {"WorkspaceId": f"{WORKSPACE}-other", "Body": "not here"}])
    clickhouse.close()
    return engine_settings


@pytest.fixture
def post(stored, client_of):
    """Ask for a waterfall; settings can be changed."""

    def ask(body, **changes):
        client = client_of(stored.model_copy(update=changes))
        headers = {"X-Workspace-Id": WORKSPACE}
        return client.post("/api/v1/traces/gantt", json=body, headers=headers)

    return ask


def content_of(response):
    assert response.status_code == 200, response.text
    [text] = re.findall(r'id="content">(.*?)</script>', response.text, re.DOTALL)
    return json.loads(text)


def test_a_trace_comes_as_a_file_with_its_spans_and_log_records(post):
    response = post({"trace_ids": [SPANS[0].trace_id.upper()]})
    assert response.mimetype == "text/html"

    disposition = response.headers["Content-Disposition"]
    assert disposition == f'attachment; filename="Trace_{SPANS[0].trace_id}.html"'

    [trace] = content_of(response)["traces"]
    assert (trace["id"], trace["start_ns"]) == (SPANS[0].trace_id, str(START_NS))

    root, child = trace["spans"]
    assert (root["duration"], root["critical"]) == (
        50_000.0,
        [[20_000.0, 50_000.0], [0.0, 10_000.0]],
    )
    assert (child["parent"], child["start"], child["status"]) == (0, 10_000.0, "Error")
    assert child["message"] == "was error"
    assert [(each["name"], each["at"]) for each in child["events"]] == [("retry", 1000.0)]

    [line] = trace["logs"]
    assert (line["body"], line["parent"], line["at"]) == ("it broke", 1, 12_000.0)
    assert line["attributes"] == {"why": "bad luck"}


def test_a_run_is_all_traces_with_a_span_or_resource_that_has_its_id(post):
    content = content_of(post({"run_ids": ["nightly", "nightly"]}))
    first, second = content["traces"]
    assert content["title"] == "run_id nightly"
    assert (first["id"], first["offset"], first["labels"]) == (
        SPANS[0].trace_id,
        0.0,
        ["nightly"],
    )
    assert (second["id"], second["offset"], second["labels"]) == (
        SPANS[2].trace_id,
        90_000_000.0,
        ["nightly"],
    )
    assert len(first["spans"]) == 2


def test_several_runs_come_on_one_page_and_odd_ids_are_no_sql(post):
    response = post({"run_ids": ["nightly", "weekly, 'odd' %"]})
    content = content_of(response)
    assert [each["name"] for each in content["traces"]] == ["GET /", HOSTILE, "second"]
    assert content["title"] == "run_id nightly and 1 more"
    assert "<img" not in response.text


def test_the_attribute_of_runs_is_a_setting(post):
    content = content_of(post({"run_ids": ["nightly"]}, run_id_attribute="job"))
    assert [each["id"] for each in content["traces"]] == [SPANS[4].trace_id]
    assert content["title"] == "job nightly"


def test_runs_can_be_looked_for_in_a_time_range(post):
    later = START_NS // MS + 60_000
    content = content_of(post({"run_ids": ["nightly"], "start_time_ms": later}))
    assert [each["id"] for each in content["traces"]] == [SPANS[2].trace_id]
    assert post({"run_ids": ["nightly"], "end_time_ms": 1000}).status_code == 404


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"run_ids": ["nightly", "lost", "elsewhere"]}, "run_id lost, elsewhere"),
        ({"trace_ids": [SPANS[0].trace_id, "ee" * 16, "dd" * 16]}, f"{'ee' * 16}, {'dd' * 16}"),
    ],
)
def test_all_that_is_unknown_in_the_workspace_is_named(post, body, named):
    response = post(body)
    assert response.status_code == 404
    assert named in response.json["error"]["reason"]
    assert "nightly" not in response.json["error"]["reason"]
    assert WORKSPACE in response.json["error"]["reason"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "run_ids"),
        ({"run_ids": ["a"], "trace_ids": ["aa"]}, "trace_ids"),
        ({"run_ids": []}, "run_ids"),
        ({"run_ids": "nightly"}, "run_ids"),
        ({"run_ids": [""]}, "run_ids"),
        ({"run_ids": ["a"] * 101}, "run_ids"),
        ({"trace_ids": ["not hexadecimal"]}, "trace_ids"),
        ({"run_id": ["a"]}, "run_id"),
        ({"run_ids": ["a"], "start_time_ms": 2, "end_time_ms": 1}, "start_time_ms"),
    ],
)
def test_wrong_bodies_are_refused_with_the_field(post, body, field):
    response = post(body)
    assert response.status_code == 422
    assert field in response.json["error"]["fields"]


def test_what_is_beyond_the_limits_is_left_out_and_the_page_says_so(post, monkeypatch):
    monkeypatch.setattr(routes, "MAX_SPANS", 1)
    monkeypatch.setattr(routes, "MAX_LOGS", 0)
    content = content_of(post({"trace_ids": [SPANS[2].trace_id, SPANS[0].trace_id]}))
    assert sum(len(each["spans"]) for each in content["traces"]) == 1
    assert content["notes"] == [
        "1 of 2 traces are shown.",
        "Only 1 spans are shown; the last trace may lack some.",
        "Only the first 0 log records are shown.",
    ]

    response = post({"trace_ids": [SPANS[0].trace_id, "ee" * 16]})
    assert response.status_code == 404
    assert "ee" * 16 in response.json["error"]["reason"]


def test_a_run_whose_traces_are_beyond_the_readers_limit_is_not_unknown(post, monkeypatch):
    monkeypatch.setattr(read, "MAX_TRACES", 1)
    weekly = "weekly, 'odd' %"
    assert len(content_of(post({"run_ids": ["nightly", weekly]}))["traces"]) == 1
    response = post({"run_ids": ["nightly", weekly, "lost"]})
    assert response.status_code == 404
    assert response.json["error"]["reason"].endswith("run_id lost.")


def test_the_document_of_the_api_says_what_it_takes_and_gives(client_of, stored):
    document = client_of(stored).get("/openapi.json").json
    described = document["paths"]["/api/v1/traces/gantt"]["post"]
    assert set(described["responses"]["200"]["content"]) == {"text/html"}
    assert "404" in described["responses"]
