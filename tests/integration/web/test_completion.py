"""Completion of queries and hints about them, over the API."""

from collections import Counter

import pytest

from storage.clickhouse.client import Clickhouse
from storage.query import suggestions
from storage.query.language.parse import parse
from tests.integration.web.test_stats import row as stored_row

pytestmark = pytest.mark.integration

MS = 1_784_700_100_000
RANGE = {"start_time_ms": MS, "end_time_ms": MS + 3_600_000}


def record(workspace, number, **about):
    made = {"Timestamp": MS * 10**6 + number * 10**9, "WorkspaceId": workspace, "ChunkRow": number}
    return stored_row(0) | made | about


@pytest.fixture
def complete(client):
    def ask(q, signal="logs", **more):
        query = {**RANGE, "workspace_id": "completed", "q": q, **more}
        answer = client.get(f"/api/v1/{signal}/completions", query_string=query)
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    return ask


@pytest.fixture(scope="module", autouse=True)
def _stored(engine_settings, put_logs):
    clickhouse = Clickhouse(engine_settings)
    rows = [
        record(
            "completed",
            number,
            ServiceName=["cart", "cart", "mail in"][number % 3],
            Body=["timeout", "ok"][number % 2],
            ClientId=["web", "app"][number % 2],
            SeverityText=["INFO", "ERROR"][number % 2],
            LogAttributes={"user.id": f"u-{number % 4}", f"only.{number % 2}": "x"},
            ResourceAttributes={"service.name": "cart", "host.name": "h1"},
        )
        for number in range(60)
    ]
    put_logs(clickhouse, rows)
    put_logs(clickhouse, [record("other", 0, LogAttributes={"secret.name": "secret-value"})])
    clickhouse.close()


def choices(answer, kind=None):
    return {each["label"]: each for each in answer["choices"] if kind in {None, each["kind"]}}


def test_fields_and_attributes_of_the_records_are_suggested(complete):
    answer = complete("")
    assert answer["kind"] == "field"
    found = choices(answer, "field")
    assert found["service"]["text"] == "service:"
    assert found["service"]["about"]
    assert found["user.id"]["count"] == 60
    assert "service.name" not in found
    assert "secret.name" not in found


def test_values_are_counted_under_the_rest_of_the_query(complete):
    answer = complete("timeout service:")
    found = choices(answer, "value")
    counts = Counter(["cart", "cart", "mail in"][number % 3] for number in range(0, 60, 2))
    assert {label: each["count"] for label, each in found.items()} == counts
    assert found["mail in"]["text"] == '"mail in"'
    assert (answer["from"], answer["to"]) == (16, 16)


def test_a_choice_replaces_what_is_written_and_makes_a_query(complete):
    text = "timeout service:ma AND level:error"
    answer = complete(text, cursor=18)
    [choice] = choices(answer, "value").values()
    made = text[: answer["from"]] + choice["text"] + text[answer["to"] :]
    assert made == 'timeout service:"mail in" AND level:error'
    assert parse(made)


def test_values_are_suggested_without_the_rest_if_it_finds_nothing(complete):
    assert "u-1" in choices(complete("nowhere user.id:"), "value")


def test_a_client_sees_only_its_own(complete):
    assert {"only.0", "only.1"} <= choices(complete("")).keys()
    found = choices(complete("", client_id="web"))
    assert "only.0" in found
    assert "only.1" not in found
    assert choices(complete("client:", client_id="web"), "value").keys() == {"web"}


def test_of_a_large_time_range_a_sample_is_read(complete, monkeypatch):
    monkeypatch.setattr(suggestions, "SAMPLE_RECORDS", 40)
    monkeypatch.setattr(suggestions, "_GRANULE_ROWS", 1)
    found = choices(complete("service:", end_time_ms=MS + 1_800_000), "value")
    assert found["cart"]["count"] is None


def test_what_was_read_is_kept_for_a_while():
    now, read = [0.0], []
    kept = suggestions.Suggestions(clock=lambda: now[0])

    def ask(key):
        return kept._known(key, lambda: read.append(key) or {key: 1})

    assert [ask("a"), ask("a"), ask("b")] == [{"a": 1}, {"a": 1}, {"b": 1}]
    assert read == ["a", "b"]
    now[0] = suggestions.KEPT_SECONDS
    ask("a")
    assert read == ["a", "b", "a"]


def test_spans_have_their_own_fields(complete):
    found = choices(complete("", "traces"))
    assert {"duration_ms", "status", "service"} <= found.keys()
    assert "level" not in found


@pytest.mark.parametrize(("q", "cursor"), [("a", 2), ("", 1), ("a", -1), ("a", "x")])
def test_a_cursor_beyond_the_query_is_refused(client, q, cursor):
    asked = {"q": q, "cursor": cursor}
    answer = client.get("/api/v1/logs/completions", query_string=asked)
    assert answer.status_code == 422
    assert list(answer.get_json()["error"]["fields"]) == ["cursor"]


@pytest.fixture
def hints(client):
    def ask(q, signal="logs", **more):
        query = {**RANGE, "workspace_id": "completed", "q": q, **more}
        answer = client.get(f"/api/v1/{signal}/query", query_string=query)
        assert answer.status_code == 200, answer.text
        return answer.get_json()["hints"]

    return ask


def test_a_name_that_no_record_has_is_told_with_a_similar_one(hints):
    [hint] = hints("timeout servce:cart OR user.id:u-1")
    assert hint == {
        "position": 8,
        "length": 6,
        "text": "No field `servce` in this time range. Did you mean `service`?",
    }
    [hint] = hints("_exists_:user.di")
    assert (hint["position"], hint["length"]) == (9, 7)
    assert "`user.id`" in hint["text"]


def test_names_that_records_have_need_no_hint(hints):
    assert (
        hints("service:x level:error only.1:x resource.host.name:h1 app:x _exists_:user.id") == []
    )
    assert hints("timeout") == []


def test_a_name_is_looked_for_where_the_query_asks_for_it(hints):
    assert len(hints("resource.user.id:u-1")) == 1
    assert len(hints("only.1:x", client_id="web")) == 1
    assert len(hints("secret.name:x")) == 1
    assert len(hints("http.route:x", "traces")) == 1


def test_a_query_with_a_mistake_is_refused_with_its_place(client):
    answer = client.get("/api/v1/logs/query", query_string={"q": "ok level:>loud"})
    assert answer.status_code == 422
    [place] = answer.get_json()["error"]["places"]
    assert (place["position"], place["length"]) == (9, 5)
