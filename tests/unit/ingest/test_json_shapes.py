"""Records as real loggers write them."""

import json
import re

import pytest

from ingest.convert.json.fields import ALIASES
from ingest.convert.json.records import convert, parse
from storage.decode.any_value import text

NOON = 1_790_856_000_000_000_000  # 2026-10-01T12:00:00Z
TRACE, SPAN = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"


def stored(record):
    """A record as OTLP, and its resource's attributes, when it is sent as JSON text."""
    records, _ = parse(json.dumps(record).encode(), lines=False)
    converted = convert(records)
    assert converted.problems == []
    [resource] = converted.request.resource_logs
    [found] = resource.scope_logs[0].log_records
    return found, {one.key: text(one.value) for one in resource.resource.attributes}


def attributes(found):
    return {one.key: text(one.value) for one in found.attributes}


# A logger's record; its body, time, severity text and number and service; its other attributes.
SHAPES = {
    "pino": (
        {"level": 30, "time": 1790856000123, "pid": 7, "hostname": "h", "msg": "hi", "user": 1},
        ("hi", NOON + 123_000_000, "", 9, None),
        {"pid": "7", "hostname": "h", "user": "1"},
    ),
    "bunyan": (
        {
            "v": 0,
            "level": 50,
            "name": "shop",
            "hostname": "h",
            "pid": 7,
            "time": "2026-10-01T12:00:00.123Z",
            "msg": "hi",
        },
        ("hi", NOON + 123_000_000, "", 17, "shop"),
        {"v": "0", "hostname": "h", "pid": "7"},
    ),
    "GELF": (
        {
            "version": "1.1",
            "host": "h",
            "short_message": "hi",
            "timestamp": 1790856000.123,
            "level": 3,
        },
        ("hi", NOON + 123_000_000, "", 17, None),
        {"version": "1.1", "host": "h"},
    ),
    "structlog": (
        {"event": "hi", "level": "warning", "timestamp": "2026-10-01T12:00:00Z", "logger": "l"},
        ("hi", NOON, "warning", 13, None),
        {"logger": "l"},
    ),
    "Docker": (
        {"log": "hi\n", "stream": "stderr", "time": "2026-10-01T12:00:00.123456789Z"},
        ("hi", NOON + 123_456_789, "", 0, None),
        {"stream": "stderr"},
    ),
    "journald": (
        {
            "MESSAGE": "hi",
            "PRIORITY": "3",
            "_SYSTEMD_UNIT": "nginx.service",
            "__REALTIME_TIMESTAMP": "1790856000123456",
            "_PID": "7",
        },
        ("hi", NOON + 123_456_000, "", 17, "nginx.service"),
        {"_PID": "7"},
    ),
    "journald, of bytes": (
        {"MESSAGE": list(b"caf\xe9"), "PRIORITY": "6", "SYSLOG_IDENTIFIER": "cron"},
        ("caf\ufffd", 0, "", 9, "cron"),
        {},
    ),
    "ECS, dotted": (
        {
            "@timestamp": "2026-10-01T12:00:00Z",
            "log.level": "ERROR",
            "message": "hi",
            "service.name": "shop",
            "trace.id": TRACE,
            "span.id": SPAN,
            "ecs.version": "8",
        },
        ("hi", NOON, "ERROR", 17, "shop"),
        {"ecs.version": "8"},
    ),
    "ECS, nested": (
        {
            "@timestamp": "2026-10-01T12:00:00Z",
            "message": "hi",
            "trace": {"id": TRACE},
            "log": {"level": "info", "logger": "l"},
            "service": {"name": "shop", "x": 1},
            "event": {"dataset": "d"},
        },
        ("hi", NOON, "info", 9, "shop"),
        {"log.logger": "l", "service.x": "1", "event": '{"dataset":"d"}'},
    ),
    "python-json-logger": (
        {"asctime": "2026-10-01 12:00:00,123", "levelname": "CRITICAL", "message": "hi"},
        ("hi", NOON + 123_000_000, "CRITICAL", 21, None),
        {},
    ),
    "logging": (
        {"message": "hi", "levelno": 40, "name": "app.views", "lineno": 3},
        ("hi", 0, "", 17, None),
        {"name": "app.views", "lineno": "3"},
    ),
    "Zap": (
        {"level": "dpanic", "ts": 1790856000.5, "caller": "a.go:1", "msg": "hi"},
        ("hi", NOON + 500_000_000, "dpanic", 21, None),
        {"caller": "a.go:1"},
    ),
    "Serilog": (
        {"@t": "2026-10-01T12:00:00Z", "@mt": "{n} hi", "@m": "1 hi", "@l": "Warning", "n": 1},
        ("1 hi", NOON, "Warning", 13, None),
        {"@mt": "{n} hi", "n": "1"},
    ),
    "OpenTelemetry": (
        {
            "body": "hi",
            "severityText": "Info",
            "severityNumber": 11,
            "traceId": TRACE,
            "spanId": SPAN,
            "timeUnixNano": str(NOON + 1),
            "service_name": "shop",
        },
        ("hi", NOON + 1, "Info", 11, "shop"),
        {},
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_fields_of_a_logger_find_their_places_and_stay_no_attributes(shape):
    record, (body, time, severity, number, service), rest = SHAPES[shape]
    found, resource = stored(record)

    assert found.body.string_value == body
    assert found.time_unix_nano == time
    assert (found.severity_text, found.severity_number) == (severity, number)
    assert resource.get("service.name") == service
    assert attributes(found) == rest

    has_trace = any("trace" in name for name in record)
    assert found.trace_id.hex() == (TRACE if has_trace else "")


def test_a_fields_own_name_wins_and_what_is_not_used_stays_an_attribute():
    record = {
        "msg": "2",
        "message": "1",
        "time": "2026-10-02",
        "timestamp": "2026-10-01T12:00:00Z",
        "severity": "low",
        "level": "info",
        "service_name": "other",
        "service": "shop",
        "traceId": "ab" * 16,
        "trace_id": TRACE,
    }

    found, resource = stored(record)

    assert (found.body.string_value, found.time_unix_nano) == ("1", NOON)
    assert (found.severity_text, resource) == ("info", {"service.name": "shop"})
    assert found.trace_id.hex() == TRACE
    assert attributes(found) == {
        "msg": "2",
        "time": "2026-10-02",
        "severity": "low",
        "service_name": "other",
        "traceId": "ab" * 16,
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("time", "fast"),
        ("time", 12),
        ("ts", 1.5),
        ("time", "12"),
        ("ts", -1),
        ("time", True),
        ("time", [1]),
        ("event", {"kind": "alert"}),
        ("log", {"file": "a"}),
        ("name", "Ada"),
        ("service_name", ["a"]),
        ("severity", {"a": 1}),
        ("traceId", "none"),
        ("spanId", 7),
    ],
)
def test_what_only_has_the_name_of_another_field_stays_an_attribute(name, value):
    found, resource = stored({"message": "x", name: value})
    assert list(attributes(found)) == [name]
    assert (found.time_unix_nano, found.severity_text, resource) == (0, "", {})


@pytest.mark.parametrize("name", ["time", "ts", "@timestamp", "__REALTIME_TIMESTAMP"])
@pytest.mark.parametrize("value", ["2200-01-01T00:00:00Z", 7_258_118_400_000])
def test_a_time_under_another_name_that_cannot_be_stored_is_named(name, value):
    [problem] = convert([{"message": "x", name: value}]).problems
    assert problem.field == name
    assert problem.reason.startswith(f"{name} must be between 1970-01-01 and 2106-01-01")


@pytest.mark.parametrize("name", ["trace_id", "traceId", "trace.id"])
@pytest.mark.parametrize("value", ["", "0", "0" * 32])
def test_an_id_of_zeros_is_none(name, value):
    found, _ = stored({"message": "x", name: value})
    assert found.trace_id == b""
    assert attributes(found) == {}


@pytest.mark.parametrize("name", ["trace_id", "span_id"])
@pytest.mark.parametrize("value", ["abc", "z" * 32, "ab" * 15 + "  ", "ab" * 9, " " * 32, 12, []])
def test_an_id_that_is_none_stays_an_attribute_of_its_name(name, value):
    found, _ = stored({"message": "x", name: value})
    assert found.trace_id == found.span_id == b""
    assert list(attributes(found)) == [name]


@pytest.mark.parametrize(
    ("field", "level", "text", "number"),
    [
        *(("level", 10 * n, "", number) for n, number in enumerate((1, 5, 9, 13, 17, 21), 1)),
        ("level", "30", "", 9),
        ("level", 35, "", 9),
        ("level", 30.0, "", 9),
        ("level", 3, "3", 0),
        ("level", "70", "70", 0),
        ("level", " Info ", " Info ", 9),
        ("level", "Emerg", "Emerg", 24),
        *(("PRIORITY", n, "", of) for n, of in enumerate((24, 22, 21, 17, 13, 10, 9, 5))),
        ("severity", 3, "", 17),
        ("severity", 500, "", 17),
        ("severity", "ALERT", "ALERT", 22),
        ("levelno", 10, "", 5),
        ("levelno", 50, "", 21),
        ("severity_number", 13, "", 13),
        ("severity_number", "24", "", 24),
        ("severity_number", 0, "", 0),
    ],
)
def test_a_number_is_a_level_of_the_scale_that_its_field_has(field, level, text, number):
    found, _ = stored({"message": "x", field: level})
    assert (found.severity_text, found.severity_number) == (text, number)
    assert attributes(found) == {}


def test_the_documentation_lists_every_name_in_its_order(project_root):
    rows = (project_root / "docs/json.md").read_text().splitlines()

    for name, aliases in ALIASES.items():
        field = "severity_number" if name == "number" else name
        [row] = [row for row in rows if row.startswith(f"| `{field}` |")]
        _, field_cell, names_cell, *_ = row.split("|")
        names = re.findall("`(.*?)`", field_cell + names_cell)
        listed = [each for each in names if each in aliases]
        assert tuple(listed) == aliases


def test_a_number_stays_a_number_as_a_message():
    whole, _ = stored({"message": 7})
    assert whole.body.int_value == 7

    fraction, _ = stored({"msg": 1e21})
    assert fraction.body.double_value == 1e21
