"""Requests that mix good and wrong records, in both encodings, and what must become of them."""

import itertools
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import json_format
from hypothesis import strategies as st

from ingest.convert import wire
from ingest.convert.services import LOGS, METRICS, TRACES
from storage.time_range import END_NS

TIME = 1_763_700_000_000_000_000
TRACE, SPAN = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
BROKEN = "\N{REPLACEMENT CHARACTER}"
ATTRIBUTES = {"logs": 6, "traces": 9, "metrics": 7}
"""Field number of a record's attributes."""
ID_FIELDS = {"traceId": "trace_id", "spanId": "span_id", "parentSpanId": "parent_span_id"}


@dataclass(frozen=True)
class Kind:
    """One way in which a record is right or wrong."""

    name: str
    value: Any = None
    """Value of its attribute `x`: in OTLP/JSON, or the bytes of a serialised one."""
    stored: str | None = ""
    """What the attribute is stored as; None if the record is refused."""
    fields: dict[str, Any] = field(default_factory=dict)
    """Fields with unusual values, in OTLP/JSON."""
    words: str = ""
    """What the reason for the refusal says, as a regular expression."""


def _deep(levels, kind):
    """A serialised value, nested in so many arrays or objects."""
    value = wire.tagged(1, b"x")
    for _ in range(levels):
        if kind == "array":
            value = wire.tagged(5, wire.tagged(1, value))
        else:
            pair = wire.tagged(1, b"k") + wire.tagged(2, value)
            value = wire.tagged(6, wire.tagged(1, pair))
    return value


def _deep_json(levels, kind):
    """The same value in OTLP/JSON."""
    value = {"stringValue": "x"}
    for _ in range(levels):
        if kind == "array":
            value = {"arrayValue": {"values": [value]}}
        else:
            value = {"kvlistValue": {"values": [{"key": "k", "value": value}]}}
    return value


def _deep_text(levels, kind):
    """The same value as it is stored."""
    before, after = ("[", "]") if kind == "array" else ('{"k":', "}")
    return before * levels + '"x"' + after * levels


GOOD = [
    Kind("string", {"stringValue": "good"}, "good"),
    Kind("array", {"arrayValue": {"values": [{"intValue": "1"}, {}]}}, "[1,null]"),
    Kind("nothing", {}, ""),
]
OF_SPANS = [
    Kind(f"span with {key}={value}", {}, None, {key: value}, words)
    for key, value, words in (
        ("traceId", "0" * 32, "trace_id must be 16 bytes"),
        ("traceId", TRACE[2:], "trace_id must be 16 bytes"),
        ("traceId", "", "trace_id must be 16 bytes"),
        ("spanId", "0" * 16, "span_id must be 8 bytes"),
        ("spanId", SPAN * 2, "span_id must be 8 bytes"),
        ("startTimeUnixNano", str(END_NS), "must be before the year 2106"),
        ("endTimeUnixNano", str(2**64 - 1), "must be before the year 2106"),
    )
] + [Kind("orphan", {}, "", {"parentSpanId": "0" * 16})]
OF_LOGS = [
    Kind("log without ids", {}, "", {"traceId": "0" * 32, "spanId": SPAN[2:]}),
    Kind("log of 2200", {}, "", {"timeUnixNano": "7258118400000000000"}),
]
OF_METRICS = [Kind("no value", {}, "", {"asDouble": None})]
OF_SIGNAL = {"traces": OF_SPANS, "logs": OF_LOGS, "metrics": OF_METRICS}
IN_PROTOBUF = [
    Kind("Latin-1", wire.tagged(1, b"caf\xe9"), f"caf{BROKEN}"),
    Kind("cut", wire.tagged(1, "\N{GRINNING FACE}".encode()[:3]), BROKEN),
    Kind(
        "Latin-1 within", wire.tagged(5, wire.tagged(1, wire.tagged(1, b"\xe9"))), f'["{BROKEN}"]'
    ),
    *(
        Kind(f"{levels} {kind}", _deep(levels, kind), _deep_text(levels, kind))
        for levels in (30, 50, 100)
        for kind in ("array", "object")
    ),
    *(
        Kind(f"{levels} {kind}", _deep(levels, kind), None, {}, "nested more than 100 levels deep")
        for levels in (101, 500)
        for kind in ("array", "object")
    ),
]
IN_JSON = [
    Kind("half an emoji", {"stringValue": "a\ud83d"}, f"a{BROKEN}"),
    Kind("other half", {"stringValue": "\ude00b"}, f"{BROKEN}b"),
    Kind("an emoji", {"stringValue": "\\\N{GRINNING FACE}"}, "\\\N{GRINNING FACE}"),
    Kind("Latin-1", {"stringValue": "@latin-1@"}, f"caf{BROKEN}"),
    Kind("1e21", {"intValue": 1e21}, "1e+21"),
    Kind("long", {"intValue": 10**30}, str(10**30)),
    Kind("longer", {"intValue": "@digits@"}, "1" * 5000),
    Kind("1e400", {"doubleValue": "@1e400@"}, "1e400"),
    Kind("1e400 as text", {"doubleValue": "-1e400"}, "-1e400"),
    Kind("NaN", {"doubleValue": "@NaN@"}, "NaN"),
    Kind("Infinity", {"doubleValue": "-Infinity"}, "-Infinity"),
    Kind("null", {"arrayValue": {"values": [None, {"stringValue": "x"}]}}, '[null,"x"]'),
    Kind(
        "too late",
        {},
        None,
        {"timeUnixNano": 2**64},
        "imeUnixNano must be a whole number from 0 to",
    ),
    Kind("no number", {"intValue": "many"}, None, {}, "must be a whole number of 64 bits"),
    Kind("no text", {"stringValue": 5}, None, {}, "must be a string, not 5"),
    Kind("no value", "text", None, {}, "must be an object"),
    *(
        Kind(f"{levels} {kind}", _deep_json(levels, kind), _deep_text(levels, kind))
        for levels in (30, 50, 100)
        for kind in ("array", "object")
    ),
    *(
        Kind(f"{levels} {kind}", _deep_json(levels, kind), None, {}, "too deep|nested more than")
        for levels in (101, 140)
        for kind in ("array", "object")
    ),
]
# Markers are replaced by what no JSON library would write.
RAW = {
    b'"@latin-1@"': b'"caf\xe9"',
    b'"@digits@"': b"1" * 5000,
    b'"@1e400@"': b"1e400",
    b'"@NaN@"': b"NaN",
}
TENANTS = [
    ("good", {"stringValue": "acme"}),
    ("good", {"stringValue": "beta"}),
    ("wrong", {"intValue": "42"}),
    ("wrong", {"stringValue": "a b"}),
]


def plans(service, of_encoding):
    """Plans of requests: a list of resources, each a tenant and scopes of kinds of records."""
    special = of_encoding + OF_SIGNAL[service.signal]
    kinds = st.one_of(st.sampled_from(GOOD), st.sampled_from(special))
    scopes = st.lists(st.lists(kinds, max_size=4), max_size=3)
    return st.lists(st.tuples(st.sampled_from(TENANTS), scopes), max_size=3)


def record(service, number, kind):
    """A record as OTLP/JSON; its attribute `n` is its number."""
    usual = {
        "logs": {"timeUnixNano": str(TIME), "traceId": TRACE, "spanId": SPAN},
        "traces": {
            "traceId": TRACE, "spanId": SPAN, "name": "s",
            "startTimeUnixNano": str(TIME), "endTimeUnixNano": str(TIME + 1),
        },
        "metrics": {"timeUnixNano": str(TIME), "asDouble": 1.5},
    }[service.signal]  # fmt: skip
    if "timeUnixNano" in kind.fields and service is TRACES:
        kind = Kind(kind.name, kind.value, kind.stored, {"startTimeUnixNano": 2**64}, kind.words)
    attributes = [{"key": "n", "value": {"intValue": str(number)}}]
    if not isinstance(kind.value, bytes):
        attributes.append({"key": "x", "value": kind.value})
    return usual | kind.fields | {"attributes": attributes}


def in_json(service, plan):
    """The request's bytes in OTLP's JSON encoding."""
    numbers = itertools.count()
    resources = []
    for (_, client), scopes in plan:
        made = []
        for kinds in scopes:
            records = [record(service, next(numbers), kind) for kind in kinds]
            if service is METRICS:
                records = [{"name": "m", "gauge": {"dataPoints": records}}]
            made.append({service.json_names[2]: records})
        attributes = [{"key": "client.id", "value": client}]
        resources.append({"resource": {"attributes": attributes}, service.json_names[1]: made})
    body = json.dumps({service.json_names[0]: resources}).encode()
    for marker, raw in RAW.items():
        body = body.replace(marker, raw)
    return body


def in_protobuf(service, plan):
    """The request's bytes in protobuf; wrong values are put in as bytes."""
    numbers = itertools.count()
    record_number = 1 if service is METRICS else 2
    payload = b""
    for (_, client), scopes in plan:
        resource = _encoded(service, {"attributes": [{"key": "client.id", "value": client}]}, 1)
        content = wire.tagged(1, resource)
        for kinds in scopes:
            records = b""
            for kind in kinds:
                records += wire.tagged(record_number, _wire(service, next(numbers), kind))
            if service is METRICS:
                name, gauge = wire.tagged(1, b"m"), wire.tagged(5, records)
                records = wire.tagged(2, name + gauge)
            content += wire.tagged(2, records)
        payload += wire.tagged(1, content)
    return payload


def _wire(service, number, kind):
    """A serialised record."""
    fields = record(service, number, kind)
    # protobuf's own JSON has ids in base64, so they are set as bytes.
    ids = {
        name: bytes.fromhex(fields.pop(json_name))
        for json_name, name in ID_FIELDS.items()
        if json_name in fields
    }
    message = _new(service, 3)
    json_format.ParseDict(fields, message)
    for name, value in ids.items():
        setattr(message, name, value)

    content = message.SerializeToString()
    if isinstance(kind.value, bytes):
        pair = wire.tagged(1, b"x") + wire.tagged(2, kind.value)
        content += wire.tagged(ATTRIBUTES[service.signal], pair)
    return content


def _new(service, depth):
    """An empty resource if the depth is 1, else an empty record."""
    request = service.request()
    resource = getattr(request, service.resources).add()
    if depth == 1:
        return resource.resource
    scope = getattr(resource, service.scopes).add()
    if service is METRICS:
        return scope.metrics.add().gauge.data_points.add()
    return service.levels[2](scope).add()


def _encoded(service, fields, depth):
    return json_format.ParseDict(fields, _new(service, depth)).SerializeToString()


def expected(service, plan, names):
    """What must become of a plan: records kept, reasons of refusals by place, records refused.

    A record that is kept is counted as `(client, n, x)`.
    """
    numbers = itertools.count()
    kept = Counter()
    reasons = {}
    refused = 0
    for r, ((state, client), scopes) in enumerate(plan):
        wrong_tenant = state == "wrong"
        if wrong_tenant:
            reasons[f"{names[0]}[{r}]"] = "client.id must be a string of 1 to 128 characters"
        for s, kinds in enumerate(scopes):
            for i, kind in enumerate(kinds):
                number = next(numbers)
                if kind.stored is None or wrong_tenant:
                    refused += 1
                else:
                    kept[client["stringValue"], str(number), kind.stored] += 1
                # Ids and times of spans are not checked in a resource that is refused.
                unseen = wrong_tenant and service is TRACES and kind in OF_SPANS
                if kind.stored is None and not unseen:
                    indexes = (r, s, 0, i) if service is METRICS else (r, s, i)
                    steps = [f"{name}[{x}]" for name, x in zip(names, indexes, strict=True)]
                    reasons[".".join(steps)] = kind.words
    return kept, reasons, refused


SERVICES = (LOGS, TRACES, METRICS)
