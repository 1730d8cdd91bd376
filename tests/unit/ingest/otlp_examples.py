"""The example payloads of the OTLP specification (opentelemetry-proto, `examples/`)."""

PUBLISHED = 1_544_712_660_000_000_000
"""The second that the examples carry, in nanoseconds."""

TRACE, SPAN, PARENT = "5B8EFFF798038103D269B633813FC60C", "EEE19B7EC3C1B174", "EEE19B7EC3C1B173"


def _text(key, value):
    return {"key": key, "value": {"stringValue": value}}


def _request(signal, records, members):
    scope = {
        "scope": {
            "name": "my.library",
            "version": "1.0.0",
            "attributes": [_text("my.scope.attribute", "some scope attribute")],
        },
        members: records,
    }
    resource = {"attributes": [_text("service.name", "my.service")]}
    return {f"resource{signal}": [{"resource": resource, f"scope{signal}": [scope]}]}


def logs(second):
    """`examples/logs.json` with another second."""
    attributes = [
        _text("string.attribute", "some string"),
        {"key": "boolean.attribute", "value": {"boolValue": True}},
        {"key": "int.attribute", "value": {"intValue": "10"}},
        {"key": "double.attribute", "value": {"doubleValue": 637.704}},
        {
            "key": "array.attribute",
            "value": {
                "arrayValue": {"values": [{"stringValue": "many"}, {"stringValue": "values"}]}
            },
        },
        {
            "key": "map.attribute",
            "value": {"kvlistValue": {"values": [_text("some.map.key", "some value")]}},
        },
    ]
    record = {
        "timeUnixNano": str(second + 300_000_000),
        "observedTimeUnixNano": str(second + 300_000_000),
        "severityNumber": 10,
        "severityText": "Information",
        "traceId": TRACE,
        "spanId": SPAN,
        "body": {"stringValue": "Example log record"},
        "attributes": attributes,
    }
    return _request("Logs", [record], "logRecords")


def events(second):
    """`examples/events.json` with another second."""
    body = [
        {"key": "type", "value": {"intValue": "0"}},
        _text("url", "https://www.guidgenerator.com/online-guid-generator.aspx"),
        _text("referrer", "https://wwww.google.com"),
        _text("title", "Free Online GUID Generator"),
    ]
    record = {
        "eventName": "browser.page_view",
        "timeUnixNano": str(second + 300_000_000),
        "observedTimeUnixNano": str(second + 300_000_000),
        "severityNumber": 9,
        "severityText": "test severity text",
        "attributes": [_text("event.attribute", "some event attribute")],
        "body": {"kvlistValue": {"values": body}},
    }
    return _request("Logs", [record], "logRecords")


def trace(second):
    """`examples/trace.json` with another second."""
    span = {
        "traceId": TRACE,
        "spanId": SPAN,
        "parentSpanId": PARENT,
        "name": "I'm a server span",
        "startTimeUnixNano": str(second),
        "endTimeUnixNano": str(second + 1_000_000_000),
        "kind": 2,
        "attributes": [_text("my.span.attr", "some value")],
    }
    return _request("Spans", [span], "spans")


def metrics(second):
    """`examples/metrics.json` with another second."""
    time = str(second + 300_000_000)
    dated = {"startTimeUnixNano": time, "timeUnixNano": time}

    def metric(name, description, kind, point, **fields):
        attributes = [_text(f"{name}.attr", "some value")]
        points = {"dataPoints": [point | {"attributes": attributes}]}
        return {"name": name, "unit": "1", "description": description, kind: points | fields}

    counter = {"asDouble": 5, **dated}
    histogram = {
        **dated, "count": "2", "sum": 2, "bucketCounts": ["1", "1"], "explicitBounds": [1],
        "min": 0, "max": 2,
    }  # fmt: skip
    exponential = {
        **dated, "count": "3", "sum": 10, "scale": 0, "zeroCount": "1",
        "positive": {"offset": 1, "bucketCounts": ["0", "2"]}, "min": 0, "max": 5,
        "zeroThreshold": 0,
    }  # fmt: skip
    delta = {"aggregationTemporality": 1}
    found = [
        metric("my.counter", "I am a Counter", "sum", counter, isMonotonic=True, **delta),
        metric("my.gauge", "I am a Gauge", "gauge", {"asDouble": 10, "timeUnixNano": time}),
        metric("my.histogram", "I am a Histogram", "histogram", histogram, **delta),
        metric(
            "my.exponential.histogram",
            "I am an Exponential Histogram",
            "exponentialHistogram",
            exponential,
            **delta,
        ),
    ]
    return _request("Metrics", found, "metrics")
