"""One trace: its tree, its logs, its limits; and the reader that loads it."""

import pytest

from storage.query.traces.read import TraceReader
from storage.time_range import TimeRange
from tests.integration.made_traces import DAY_MS, MS, START_NS, MadeSpan
from tests.integration.tables import whole

pytestmark = pytest.mark.integration


@pytest.fixture
def reader(database, engine_settings):
    return TraceReader(database, engine_settings)


def trace_path(number):
    return f"/{number:032x}"


def log_row(workspace, body, *, trace, span="", at_ms=0, row=0):
    return {
        "Timestamp": START_NS + round(at_ms * MS),
        "TraceId": f"{trace:032x}",
        "SpanId": span,
        "SeverityText": "INFO",
        "SeverityNumber": 9,
        "ServiceName": "shop",
        "Body": body,
        "ResourceAttributes": {},
        "ScopeName": "",
        "LogAttributes": {},
        "WorkspaceId": workspace,
        "ClientId": "web",
        "ServiceVersion": "",
        "Endpoint": "",
        "ChunkId": 7,
        "ChunkRow": row,
        "RetentionDays": 0,
    }


def bodies(logs):
    return [log["body"] for log in logs]


def test_a_trace_gives_every_field_of_its_spans_depth_first(api, stored):
    event = (START_NS + 6 * MS, "exception", {"exception.type": "KeyError"})
    link = (9, 8, {"why": "retry"})
    stored(
        "one",
        MadeSpan(id=1, name="GET /cart", start=5, duration=20.5),
        MadeSpan(
            id=2,
            parent=1,
            service="cart",
            name="query",
            kind=3,
            start=5.5,
            status="error",
            attributes={"db.system": "sqlite"},
            resource={"host": "h1"},
            events=(event,),
            links=(link,),
        ),
        MadeSpan(id=3, parent=1, start=7, duration=1, kind=0),
    )
    answer = api("one", trace_path(1))

    assert answer["trace_id"] == f"{1:032x}"
    assert (answer["root_name"], answer["span_count"], answer["error_count"]) == ("GET /cart", 3, 1)
    assert (answer["duration_ms"], answer["services"]) == (20.5, ["cart", "shop"])
    assert (answer["spans_truncated"], answer["logs_truncated"]) == (False, False)
    assert answer["logs"] == []

    root, query, last = answer["spans"]
    assert root["children"] == [f"{2:016x}", f"{3:016x}"]
    assert (root["depth"], root["damage"], root["kind"]) == (0, "", "server")
    assert (root["critical_ms"], last["critical_ms"]) == ([[0.0, 0.5], [10.5, 20.5]], [])
    assert (last["depth"], last["offset_ms"], last["kind"]) == (1, 2.0, "unspecified")
    assert query == {
        "span_id": f"{2:016x}",
        "parent_span_id": f"{1:016x}",
        "depth": 1,
        "children": [],
        "damage": "",
        "name": "query",
        "kind": "client",
        "service_name": "cart",
        "scope_name": "made",
        "start": "2026-07-14T03:33:20.005500000Z",
        "offset_ms": 0.5,
        "duration_ms": 10.0,
        "critical_ms": [[0.5, 10.5]],
        "status": "error",
        "status_message": "was error",
        "attributes": {"db.system": "sqlite"},
        "resource_attributes": {"service.name": "cart", "host": "h1"},
        "events": [
            {
                "time": "2026-07-14T03:33:20.006000000Z",
                "offset_ms": 1.0,
                "name": "exception",
                "attributes": {"exception.type": "KeyError"},
            }
        ],
        "links": [
            {"trace_id": f"{9:032x}", "span_id": f"{8:016x}", "attributes": {"why": "retry"}}
        ],
        "logs": [],
    }


def test_damaged_spans_are_kept_and_flagged(api, stored):
    stored(
        "damaged",
        MadeSpan(id=1, start=1),
        MadeSpan(id=2, parent=77, start=2),
        MadeSpan(id=3, parent=4, start=3),
        MadeSpan(id=4, parent=3, start=4),
        MadeSpan(id=1, start=5),
    )
    spans = api("damaged", trace_path(1))["spans"]

    assert [(span["span_id"][-1], span["depth"], span["damage"]) for span in spans] == [
        ("1", 0, ""),
        ("2", 0, "orphan"),
        ("3", 0, "cycle"),
        ("4", 1, ""),
        ("1", 0, "duplicate"),
    ]


def test_logs_are_with_their_spans_and_the_others_of_the_trace_apart(
    api, stored, put_logs, database
):
    one, two, unknown = f"{1:016x}", f"{2:016x}", "f" * 16
    hour_ms = 3_600_000
    stored("logged", MadeSpan(id=1, start=0), MadeSpan(id=2, parent=1, start=3), MadeSpan(trace=2))
    rows = [
        log_row("logged", "second of 1", trace=1, span=one, at_ms=2),
        log_row("logged", "first of 1", trace=1, span=one, at_ms=1, row=1),
        log_row("logged", "of 2", trace=1, span=two, at_ms=4, row=2),
        log_row("logged", "of an unknown span", trace=1, span=unknown, at_ms=0, row=3),
        log_row("logged", "of no span, before all", trace=1, at_ms=-250_000, row=4),
        log_row("logged", "of another trace", trace=2, row=5),
        log_row("logged", "much too late", trace=1, span=one, at_ms=hour_ms, row=6),
        log_row("not-logged", "of another workspace", trace=1, span=one, row=7),
    ]
    put_logs(database, rows)

    answer = api("logged", trace_path(1))
    first, second = answer["spans"]
    assert bodies(first["logs"]) == ["first of 1", "second of 1"]
    assert bodies(second["logs"]) == ["of 2"]
    assert bodies(answer["logs"]) == ["of no span, before all", "of an unknown span"]
    assert not answer["logs_truncated"]

    found = api("logged", trace_path(1), max_logs=3)
    assert found["logs_truncated"]
    assert bodies(found["logs"]) == ["of no span, before all", "of an unknown span"]
    assert bodies(found["spans"][0]["logs"]) == ["first of 1"]

    without = api("logged", trace_path(1), max_logs=0)
    assert not without["logs_truncated"]
    assert without["logs"] == []


def test_of_too_many_spans_the_earliest_are_given(api, stored):
    stored("cut", *(MadeSpan(id=n, parent=1 if n > 1 else 0, start=n) for n in range(1, 8)))
    answer = api("cut", trace_path(1), max_spans=3)
    assert answer["spans_truncated"]
    assert [span["span_id"][-1] for span in answer["spans"]] == ["1", "2", "3"]
    assert not api("cut", trace_path(1), max_spans=7)["spans_truncated"]


def test_a_trace_over_days_is_given_whole_whatever_the_case_of_its_id(api, stored):
    for day in range(3):
        stored("whole", MadeSpan(trace=0xAB, id=day + 1, parent=day, start=day * DAY_MS))
    answer = api("whole", trace_path(0xAB).upper())
    assert [span["depth"] for span in answer["spans"]] == [0, 1, 2]


def test_a_span_after_2106_is_part_of_its_trace(api, stored):
    century_ms = 100 * 366 * DAY_MS
    stored("late", MadeSpan(id=1), MadeSpan(id=2, parent=1, start=century_ms))
    assert len(api("late", trace_path(1))["spans"]) == 2


def test_an_unknown_trace_is_named_and_a_workspace_sees_only_its_own(api, stored):
    stored("mine", MadeSpan(trace=5))
    assert api("mine", trace_path(5))["span_count"] == 1
    for workspace, path in (("yours", trace_path(5)), ("mine", f"/{'ab' * 16}")):
        error = api(workspace, path, code=404)["error"]
        assert path[1:] in error["reason"]
        assert workspace in error["reason"]


@pytest.mark.parametrize("path", ["/xyz", "/nonsense", "/12-34", f"/{'g' * 32}"])
def test_what_is_no_trace_id_is_refused(api, path):
    error = api("mine", path, code=422)["error"]
    assert list(error["fields"]) == ["trace_id"]


def test_a_chain_of_5000_spans_is_one_flat_list(api, stored):
    stored("deep", *(MadeSpan(id=n + 1, parent=n, start=n) for n in range(5000)))
    answer = api("deep", trace_path(1))
    assert [span["depth"] for span in answer["spans"]] == list(range(5000))


def test_the_reader_gives_spans_of_several_traces_by_trace_and_start(reader, stored):
    stored(
        "several",
        MadeSpan(trace=2, id=1, start=1),
        MadeSpan(trace=1, id=2, start=9),
        MadeSpan(trace=1, id=1, start=9),
        MadeSpan(trace=3),
    )
    first, second, unknown = (f"{number:032x}" for number in (1, 2, 9))
    rows = reader.spans("several", [first, second, unknown])

    found = [(int(row["trace_id"], 16), int(row["span_id"], 16)) for row in rows]
    assert found == [(1, 1), (1, 2), (2, 1)]
    assert reader.spans("several", []) == []
    assert reader.spans("nobody", [first]) == []
    assert len(reader.spans("several", [first], limit=1)) == 1


def test_the_reader_finds_traces_by_an_attribute_of_spans_or_resources(reader, stored):
    a, b = {"run_id": "a"}, {"run_id": "b"}
    stored(
        "runs",
        MadeSpan(trace=2, id=1, start=20, attributes=a),
        MadeSpan(trace=2, id=2, start=21, attributes=a),
        MadeSpan(trace=1, start=30, resource=a),
        MadeSpan(trace=3, attributes=b, resource=a),
        MadeSpan(trace=4, attributes={"other": "a"}),
        MadeSpan(trace=0, attributes=a),
    )
    first, second, third = (f"{number:032x}" for number in (1, 2, 3))

    found = reader.traces_with("runs", "run_id", ["a", "b", "c"], None)
    assert found == {"a": [second, first], "b": [third]}

    early = TimeRange(START_NS, START_NS + 25 * MS)
    assert reader.traces_with("runs", "run_id", ["a"], early) == {"a": [second]}
    assert reader.traces_with("elsewhere", "run_id", ["a"], None) == {}


def test_a_reader_is_bound_to_a_workspace(reader):
    for workspace in ("", "a' OR 1"):
        with pytest.raises(ValueError, match="not a workspace id"):
            reader.spans(workspace, [f"{1:032x}"])
        with pytest.raises(ValueError, match="not a workspace id"):
            reader.traces_with(workspace, "run_id", ["a"], None)


def test_a_trace_whose_place_in_the_lookup_is_missing_is_shown_as_the_list_shows_it(
    api, stored, database
):
    stored("found", MadeSpan(trace=1), MadeSpan(trace=2, id=2, start=5))
    stored("found", MadeSpan(trace=3, id=1, start=2 * DAY_MS))
    three_days = {"start_time_ms": START_NS // MS, "end_time_ms": START_NS // MS + 3 * DAY_MS}

    for number in (1, 3, 2):
        database.query(
            f"ALTER TABLE {whole(database, 'otel_traces_trace_id_ts')} "
            "DELETE WHERE WorkspaceId = 'found' "
            "AND TraceId = %(id)s SETTINGS mutations_sync = 2",
            {"id": f"{number:032x}"},
        )
        listed = api("found", **three_days)["traces"]
        assert [int(trace["trace_id"], 16) for trace in listed] == [3, 2, 1]
        for trace in listed:
            shown = api("found", f"/{trace['trace_id']}")
            assert (shown["span_count"], trace["span_count"]) == (1, 1)

    assert api("found", trace_path(4), code=404)
