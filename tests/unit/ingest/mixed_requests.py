"""Requests in which good records stand beside wrong ones, in both encodings, and what is right."""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import json_format
from hypothesis import strategies as st

from ingest import wire
from ingest.otlp import LOGS, METRICS, TRACES
from storage.time_range import END_NS

TIME = 1_763_700_000_000_000_000
TRACE, SPAN = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
BROKEN = "\N{REPLACEMENT CHARACTER}"
ATTRIBUTES = {"logs": 6, "traces": 9, "metrics": 7}
"""Field number of a record's attributes."""


@dataclass(frozen=True)
class Kind:
    """One way in which a record is right or wrong."""

    name: str
    value: Any = None
    """Of its attribute `x`: an OTLP/JSON value, or the bytes of a serialised one."""
    stored: str | None = ""
    """What the attribute becomes; None if the record is refused."""
    fields: dict[str, Any] = field(default_factory=dict)
    """Fields that are not as they should be, in OTLP/JSON."""
    words: str = ""
    """What the reason says."""


def _deep(levels, kind):
    value = wire.tagged(1, b"x")
    for _ in range(levels):
        pair = wire.tagged(1, b"k") + wire.tagged(2, value)
        value = (
            wire.tagged(5, wire.tagged(1, value))
            if kind == "array"
            else (wire.tagged(6, wire.tagged(1, pair)))
        )
    return value


def _deep_json(levels, kind):
    value = {"stringValue": "x"}
    for _ in range(levels):
        if kind == "array":
            value = {"arrayValue": {"values": [value]}}
        else:
            value = {"kvlistValue": {"values": [{"key": "k", "value": value}]}}
    return value


def _deep_text(levels, kind):
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
OWN = {"traces": OF_SPANS, "logs": OF_LOGS, "metrics": OF_METRICS}
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
        Kind(f"{levels} {kind}", _deep(levels, kind), None, {}, "nested more than 100 deep")
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


def plans(service, own):
    """Resources: each a tenant, and scopes of kinds of records."""
    kinds = st.one_of(st.sampled_from(GOOD), st.sampled_from(own + OWN[service.signal]))
    scopes = st.lists(st.lists(kinds, max_size=4), max_size=3)
    return st.lists(st.tuples(st.sampled_from(TENANTS), scopes), max_size=3)


def record(service, number, kind):
    """A record as OTLP/JSON; its attribute `n` tells it from the others."""
    own = {
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
    return own | kind.fields | {"attributes": attributes}


def in_json(service, plan):
    """The request's bytes in OTLP's JSON encoding."""
    numbers = iter(range(10_000))
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
    """The request's bytes in protobuf; its wrong values are put in on the wire."""
    numbers = iter(range(10_000))
    payload = b""
    for (_, client), scopes in plan:
        resource = _encoded(service, {"attributes": [{"key": "client.id", "value": client}]}, 1)
        content = wire.tagged(1, resource)
        for kinds in scopes:
            records = b"".join(
                wire.tagged(1 if service is METRICS else 2, _wire(service, next(numbers), kind))
                for kind in kinds
            )
            if service is METRICS:
                records = wire.tagged(2, wire.tagged(1, b"m") + wire.tagged(5, records))
            content += wire.tagged(2, records)
        payload += wire.tagged(1, content)
    return payload


def _wire(service, number, kind):
    fields = record(service, number, kind)
    ids = {key: bytes.fromhex(fields.pop(key)) for key in list(fields) if key.endswith("Id")}
    message = _new(service, 3)
    json_format.ParseDict(fields, message)
    for key, value in ids.items():
        setattr(
            message, {"traceId": "trace_id", "spanId": "span_id"}.get(key, "parent_span_id"), value
        )
    out = message.SerializeToString()
    if isinstance(kind.value, bytes):
        pair = wire.tagged(1, b"x") + wire.tagged(2, kind.value)
        out += wire.tagged(ATTRIBUTES[service.signal], pair)
    return out


def _new(service, depth):
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
    """Records that are stored, as (client, n, x), and the reasons of those refused by place."""
    numbers = iter(range(10_000))
    kept = Counter()
    refused = {}
    count = 0
    for r, ((state, client), scopes) in enumerate(plan):
        if state == "wrong":
            refused[f"{names[0]}[{r}]"] = "client.id must be a string of 1 to 128 characters"
        for s, kinds in enumerate(scopes):
            for i, kind in enumerate(kinds):
                number = next(numbers)
                indexes = (r, s, 0, i) if service is METRICS else (r, s, i)
                place = ".".join(f"{n}[{x}]" for n, x in zip(names, indexes, strict=True))
                if kind.stored is None and not (
                    state == "wrong" and service is TRACES and kind in OF_SPANS
                ):
                    refused[place] = kind.words
                count += kind.stored is None or state == "wrong"
                if kind.stored is not None and state == "good":
                    kept[client["stringValue"], str(number), kind.stored] += 1
    return kept, refused, count


SERVICES = (LOGS, TRACES, METRICS)
