"""The specification's example payloads: every field is stored where docs/otlp-fields.md says."""

import json

import pytest
from google.protobuf import json_format

from ingest.convert.otlp import request as otlp
from ingest.convert.otlp_json import request as otlp_json
from ingest.convert.services import LOGS, METRICS, TRACES
from ingest.tenant import Sender
from storage.decode import SIGNALS, ChunkRows
from tests.unit.ingest import otlp_examples
from tests.unit.ingest.otlp_examples import PARENT, PUBLISHED, SPAN, TRACE
from tests.unit.storage.decode.alike import assert_same, column_values

SECONDS = {"as published": PUBLISHED, "of today": 1_795_800_000_000_000_000}
ENVELOPE = {
    "ResourceAttributes": [("service.name", "my.service")],
    "ScopeName": "my.library",
    "ScopeVersion": "1.0.0",
    "ServiceName": "my.service",
    "ServiceVersion": "",
    "WorkspaceId": "default",
    "ClientId": "default",
    "ChunkId": 7,
    "ChunkRow": 0,
    "RetentionDays": 30,
}
SCOPE = {
    "ResourceSchemaUrl": "",
    "ScopeSchemaUrl": "",
    "ScopeAttributes": [("my.scope.attribute", "some scope attribute")],
}
LOG = ENVELOPE | SCOPE | {"TraceFlags": 0, "Endpoint": ""}
POINT = ENVELOPE | SCOPE | {"MetricUnit": "1", "ScopeDroppedAttrCount": 0, "Flags": 0}
EXEMPLARS = {
    f"Exemplars.{name}": []
    for name in ("FilteredAttributes", "TimeUnix", "Value", "SpanId", "TraceId")
}


def log_row(second):
    return LOG | {
        "Timestamp": second + 300_000_000,
        "TraceId": TRACE.lower(),
        "SpanId": SPAN.lower(),
        "SeverityText": "Information",
        "SeverityNumber": 10,
        "Body": "Example log record",
        "EventName": "",
        "LogAttributes": [
            ("string.attribute", "some string"),
            ("boolean.attribute", "true"),
            ("int.attribute", "10"),
            ("double.attribute", "637.704"),
            ("array.attribute", '["many","values"]'),
            ("map.attribute", '{"some.map.key":"some value"}'),
        ],
    }


def event_row(second):
    body = (
        '{"type":0,"url":"https://www.guidgenerator.com/online-guid-generator.aspx",'
        '"referrer":"https://wwww.google.com","title":"Free Online GUID Generator"}'
    )
    return LOG | {
        "Timestamp": second + 300_000_000,
        "TraceId": "",
        "SpanId": "",
        "SeverityText": "test severity text",
        "SeverityNumber": 9,
        "Body": body,
        "EventName": "browser.page_view",
        "LogAttributes": [("event.attribute", "some event attribute")],
    }


def span_row(second):
    lists = ("Events.Timestamp", "Events.Name", "Events.Attributes", "Links.TraceId")
    lists += ("Links.SpanId", "Links.TraceState", "Links.Attributes")
    return ENVELOPE | {name: [] for name in lists} | {
        "Timestamp": second,
        "TraceId": TRACE.lower(),
        "SpanId": SPAN.lower(),
        "ParentSpanId": PARENT.lower(),
        "TraceState": "",
        "SpanName": "I'm a server span",
        "SpanKind": "Server",
        "SpanAttributes": [("my.span.attr", "some value")],
        "Duration": 1_000_000_000,
        "StatusCode": "Unset",
        "StatusMessage": "",
    }  # fmt: skip


def lookup_row(second):
    kept = ("WorkspaceId", "ClientId", "ChunkId", "ChunkRow", "RetentionDays")
    return {name: ENVELOPE[name] for name in kept} | {
        "TraceId": TRACE.lower(),
        "Start": second,
        "End": second,
    }


def metric_rows(second):
    time = second + 300_000_000

    def row(name, description, start=time, **columns):
        return POINT | columns | {
            "MetricName": name,
            "MetricDescription": description,
            "Attributes": [(f"{name}.attr", "some value")],
            "StartTimeUnix": start,
            "TimeUnix": time,
        }  # fmt: skip

    delta = {"AggregationTemporality": 1}
    return {
        "otel_metrics_sum": row(
            "my.counter", "I am a Counter", Value=5.0, IsMonotonic=True, **EXEMPLARS, **delta
        ),
        "otel_metrics_gauge": row("my.gauge", "I am a Gauge", 0, Value=10.0, **EXEMPLARS),
        "otel_metrics_histogram": row(
            "my.histogram",
            "I am a Histogram",
            **{"Count": 2, "Sum": 2.0, "Min": 0.0, "Max": 2.0, **EXEMPLARS, **delta},
            BucketCounts=[1, 1],
            ExplicitBounds=[1.0],
        ),
        "otel_metrics_exponential_histogram": row(
            "my.exponential.histogram",
            "I am an Exponential Histogram",
            **{"Count": 3, "Sum": 10.0, "Min": 0.0, "Max": 5.0, **EXEMPLARS, **delta},
            Scale=0,
            ZeroCount=1,
            PositiveOffset=1,
            PositiveBucketCounts=[0, 2],
            NegativeOffset=0,
            NegativeBucketCounts=[],
        ),
    }


EXAMPLES = {
    "logs": (LOGS, otlp_examples.logs, lambda second: {"otel_logs": log_row(second)}),
    "events": (LOGS, otlp_examples.events, lambda second: {"otel_logs": event_row(second)}),
    "trace": (
        TRACES,
        otlp_examples.trace,
        lambda second: {
            "otel_traces": span_row(second),
            "otel_traces_trace_id_ts": lookup_row(second),
        },
    ),
    "metrics": (METRICS, otlp_examples.metrics, metric_rows),
}


@pytest.mark.parametrize("second", SECONDS.values(), ids=SECONDS)
@pytest.mark.parametrize("encoding", ["json", "protobuf"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_specifications_examples_are_stored_field_by_field(name, encoding, second):
    service, example, wanted = EXAMPLES[name]
    body = example(second)
    if encoding == "json":
        pieces = otlp_json.cut(service, json.dumps(body).encode(), Sender())
    else:
        pieces = otlp.cut(service, in_protobuf(service, body), Sender())

    assert (pieces.rejected, pieces.reason) == (0, "")
    [piece] = pieces

    chunk = [ChunkRows(piece.payload, *piece.tenant, 7, 10**18, 30)]
    tables = SIGNALS[service.signal].columnar(chunk)

    assert_same(tables, SIGNALS[service.signal].plain(chunk))
    expected = wanted(second)
    assert {table for table, batch in tables.items() if batch.num_rows} == set(expected)
    for table, row in expected.items():
        assert rows_of(tables[table], row) == [hexed(row)]


def in_protobuf(service, body):
    """What an SDK would send: protobuf's own JSON has ids in base64, so they are set as bytes."""
    request = service.request()
    json_format.ParseDict(without_ids(body), request)

    resources_of, scopes_of, records_of, *_ = service.levels
    resource = resources_of(request)[0]
    scope = scopes_of(resource)[0]
    record = records_of(scope)[0]

    ids = {
        "traceId": ("trace_id", TRACE),
        "spanId": ("span_id", SPAN),
        "parentSpanId": ("parent_span_id", PARENT),
    }
    for json_name, (name, value) in ids.items():
        if f'"{json_name}"' in json.dumps(body):
            setattr(record, name, bytes.fromhex(value))
    return request.SerializeToString()


def without_ids(value):
    if isinstance(value, list):
        return [without_ids(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {key: without_ids(each) for key, each in value.items() if not key.endswith("Id")}


def rows_of(batch, names):
    columns = {name: column_values(batch, name) for name in names}
    return [
        {name: values[row] for name, values in columns.items()} for row in range(batch.num_rows)
    ]


def hexed(row):
    """A row with its floats in hexadecimal, as `column_values` gives them."""

    def exact(value):
        return value.hex() if isinstance(value, float) else value

    return {
        name: [exact(each) for each in value] if isinstance(value, list) else exact(value)
        for name, value in row.items()
    }
