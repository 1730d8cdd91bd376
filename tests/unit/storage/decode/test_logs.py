import contextlib
import itertools
import re
import threading
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from storage.decode import ChunkRows, UndecodableError, UnknownSignalError, decode
from storage.decode import logs as columnar
from storage.decode.errors import FallbackError
from storage.decode.reference import logs as reference
from storage.time_range import END_NS
from tests.unit.storage.decode.strategies import chunk_lists, requests

SCHEMA = Path(__file__).parents[4] / "storage" / "schema" / "0001_otel_logs.sql"
LOGHUB = Path(__file__).parents[5] / "shared" / "data" / "loghub"
SECOND = 10**9
START_GROUP = 3
LONG_TAG = b"\xad\x80\x80\x80\x10"
"""The tag of a fixed32 in field 5, with a 33rd bit."""
TOO_LONG_A_TAG = re.compile(rb"[\x80-\xff]{4}[\x10-\xff]")

slow = settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))


def chunk(payload, **kwargs):
    fields = {
        "workspace_id": "acme",
        "client_id": "web",
        "chunk_id": 7,
        "received_ns": 5 * SECOND,
        "retention_days": 30,
    }
    return ChunkRows(payload=payload, **(fields | kwargs))


def request_of(*records, resource=(), scope=None):
    return ExportLogsServiceRequest(
        resource_logs=[
            ResourceLogs(
                resource=Resource(attributes=resource),
                scope_logs=[ScopeLogs(scope=scope, log_records=records)],
            )
        ]
    ).SerializeToString()


def row_of(**fields):
    """The row that a single log record becomes."""
    payload = request_of(LogRecord(**fields))
    [row] = decode("logs", [chunk(payload)])["otel_logs"].to_pylist()
    return row


def attribute(key, **value):
    return KeyValue(key=key, value=AnyValue(**value))


def tagged(number, payload):
    """A length-delimited field on the wire."""
    assert number < 16
    assert len(payload) < 128
    return bytes([number << 3 | 2, len(payload)]) + payload


def in_request(record):
    scope = tagged(2, record)
    resource = tagged(2, scope)
    return tagged(1, resource)


def assert_same(tables, expected):
    assert tables.keys() == expected.keys()
    for name, batch in tables.items():
        batch.validate(full=True)
        assert batch.schema == expected[name].schema
        for column in batch.schema.names:
            assert batch.column(column).to_pylist() == expected[name].column(column).to_pylist()
            assert batch.column(column).null_count == 0


@slow
@given(chunk_lists())
def test_the_columnar_decoder_gives_what_the_plain_one_gives(chunks):
    assert_same(columnar.decode(chunks), reference.decode_logs(chunks))


@slow
@given(st.data())
def test_damaged_payloads_are_refused_or_read_alike(data):
    payload = bytearray(data.draw(requests).SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        if payload:
            position = data.draw(st.integers(0, len(payload) - 1))
            payload[position] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(payload)))
    damaged = chunk(bytes(payload[:cut]))
    assert_refused_or_read_alike(damaged)


@slow
@given(st.binary(max_size=60))
@example(LONG_TAG + bytes(4))
def test_random_bytes_are_refused_or_read_alike(payload):
    assert_refused_or_read_alike(chunk(payload))


def assert_refused_or_read_alike(damaged):
    try:
        expected = reference.decode_logs([damaged])
    except UndecodableError:
        # The columnar decoder is laxer about groups it skips, and cuts tags off after 32 bits.
        # What it takes is valid all the same, and the doors refuse both.
        with contextlib.suppress(UndecodableError):
            decode("logs", [damaged])["otel_logs"].validate(full=True)
            grouped = any(octet & 7 == START_GROUP for octet in damaged.payload)
            assert grouped or TOO_LONG_A_TAG.search(damaged.payload)
    else:
        assert_same(decode("logs", [damaged]), expected)


@pytest.mark.parametrize(
    "payload",
    [
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        request_of(LogRecord(event_name="x"))[:-1],
        in_request(tagged(12, b"\xff")),
        in_request(tagged(5, tagged(1, b"\xff"))),
        in_request(tagged(5, tagged(1, b"\xff" * 60 + b"x" * 20)[:-1])),
        in_request(tagged(5, tagged(5, b"\xff"))),
        in_request(tagged(6, tagged(1, b"\xc3"))),
        b"no protobuf at all",
    ],
)
def test_an_undecodable_chunk_is_named_among_its_good_neighbours(payload, capfd):
    good = chunk(request_of(LogRecord()))
    with pytest.raises(UndecodableError, match="0x00000000000000ff") as caught:
        decode("logs", [good, chunk(payload, chunk_id=255), good])
    assert caught.value.chunk_id == 255
    capfd.readouterr()


@pytest.mark.parametrize(
    ("record", "body"),
    [
        (tagged(5, tagged(1, b"a") + b"\x18\x05"), "5"),
        (tagged(5, b"\x18\x05" + tagged(1, b"a")), "a"),
        (tagged(5, tagged(1, b"a") + b"\x40\x05"), ""),
        (tagged(5, tagged(1, b"a")) + tagged(5, b"\x18\x05"), "5"),
        (tagged(5, tagged(1, b"a")) + tagged(5, b""), "a"),
        (tagged(5, tagged(5, tagged(1, b"\x18\x01")) + tagged(5, tagged(1, b"\x18\x02"))), "[1,2]"),
        (tagged(5, tagged(5, b"") + tagged(1, b"a")), "a"),
        (tagged(5, tagged(1, b"a") + tagged(1, b"b")), "b"),
        (tagged(5, b"\x18\x85\x80\x00"), "5"),
        (tagged(5, b"\x18\x05\x18\x06"), "6"),
        (tagged(5, b"\x10\x02"), "true"),
    ],
)
def test_wire_forms_that_no_encoder_writes_mean_what_protobuf_says(record, body):
    good = chunk(request_of(LogRecord(event_name="good")), chunk_id=1)
    odd = chunk(in_request(record), chunk_id=2, workspace_id="other")

    tables = decode("logs", [good, odd, good])

    assert tables["otel_logs"].column("Body").to_pylist() == ["", body, ""]
    assert_same(tables, reference.decode_logs([good, odd, good]))


def test_two_members_of_one_value_are_left_to_the_plain_decoder():
    odd = in_request(tagged(5, tagged(1, b"a") + b"\x18\x05"))
    with pytest.raises(FallbackError):
        columnar.decode([chunk(odd)])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({}, ""),
        ({"string_value": ""}, ""),
        ({"string_value": "x" * 127}, "x" * 127),
        ({"string_value": "x" * 128}, "x" * 128),
        ({"bool_value": False}, "false"),
        ({"int_value": 0}, "0"),
        ({"int_value": -1}, "-1"),
        ({"int_value": 2**63 - 1}, "9223372036854775807"),
        ({"double_value": 0.0}, "0"),
        ({"double_value": 1e21}, "1e+21"),
        ({"double_value": 1e20}, "100000000000000000000"),
        ({"double_value": 1e-7}, "1e-7"),
        ({"double_value": 1e-6}, "0.000001"),
        ({"double_value": 1.5}, "1.5"),
        ({"double_value": float("-inf")}, "-Infinity"),
        ({"bytes_value": b"\xff\x00"}, "/wA="),
    ],
)
def test_values_become_text(value, text):
    row = row_of(body=AnyValue(**value), attributes=[attribute("k", **value)])
    assert row["Body"] == text
    assert row["LogAttributes"] == [("k", text)]


def test_the_last_of_equal_keys_stays_in_maps_and_in_nested_lists():
    pairs = [attribute("a", int_value=1), attribute("b", int_value=2), attribute("a", int_value=3)]
    row = row_of(attributes=pairs, body=AnyValue(kvlist_value={"values": pairs}))
    assert row["LogAttributes"] == [("b", "2"), ("a", "3")]
    assert row["Body"] == '{"b":2,"a":3}'


def test_maps_of_more_keys_than_a_machine_word_has_bits_lose_only_their_doubles():
    many = [attribute(f"k{number}", int_value=number) for number in range(200)]
    double = attribute("k130", string_value="again")

    row = row_of(attributes=[*many, double])

    others = [(f"k{number}", str(number)) for number in range(200) if number != 130]
    assert row["LogAttributes"] == [*others, ("k130", "again")]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ((3, 4), 3),
        ((0, 4), 4),
        ((0, 0), 5 * SECOND),
        ((END_NS - 1, 4), END_NS - 1),
        ((END_NS, 4), 4),
        ((2**64 - 1, END_NS), 5 * SECOND),
    ],
)
def test_the_time_is_the_events_else_the_observers_else_the_doors(times, expected):
    time, observed = times
    payload = request_of(LogRecord(time_unix_nano=time, observed_time_unix_nano=observed))
    batch = decode("logs", [chunk(payload)])["otel_logs"]
    assert batch.column("Timestamp").view(pa.int64()).to_pylist() == [expected]


def test_records_without_a_time_keep_their_order():
    timeless = [LogRecord() for _ in range(3)]
    payload = request_of(*timeless, LogRecord(time_unix_nano=9), *timeless)
    chunks = [chunk(payload, received_ns=1000), chunk(payload, chunk_id=8, received_ns=7)]

    batch = decode("logs", chunks)["otel_logs"]

    # A record without a time gets the door's, and a nanosecond for each record before it.
    times = batch.column("Timestamp").view(pa.int64()).to_pylist()
    assert times[:7] == [1000, 1001, 1002, 9, 1004, 1005, 1006]
    assert times[7:] == [7, 8, 9, 9, 11, 12, 13]


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 15, 16, 17, 24, 32])
@pytest.mark.parametrize("octet", [b"\0", b"\xab"])
def test_an_id_of_another_length_or_of_zeros_is_absent(size, octet):
    some = octet * size
    trace_id, span_id = b"\0" * 15 + b"\1", b"\0" * 7 + b"\1"
    good = LogRecord(trace_id=trace_id, span_id=span_id)
    payload = request_of(good, LogRecord(trace_id=some, span_id=some), good, LogRecord())

    batch = decode("logs", [chunk(payload)])["otel_logs"]

    some_trace_id = some.hex() if size == 16 and any(some) else ""
    some_span_id = some.hex() if size == 8 and any(some) else ""
    assert batch.column("TraceId").to_pylist() == [
        trace_id.hex(),
        some_trace_id,
        trace_id.hex(),
        "",
    ]
    assert batch.column("SpanId").to_pylist() == [span_id.hex(), some_span_id, span_id.hex(), ""]


def test_very_many_attribute_keys_are_told_apart():
    many = [attribute(f"key {number}", int_value=number) for number in range(20_000)]
    double = attribute("key 7", string_value="again")

    row = row_of(attributes=[*many, double])

    assert len(row["LogAttributes"]) == len(many)
    assert row["LogAttributes"][-1] == ("key 7", "again")


def test_the_endpoint_is_the_route_else_the_path():
    route = attribute("http.route", string_value="/r")
    path = attribute("url.path", string_value="/p")
    records = [LogRecord(attributes=pairs) for pairs in ([path, route], [path], [], [route, path])]

    batch = decode("logs", [chunk(request_of(*records))])["otel_logs"]

    assert batch.column("Endpoint").to_pylist() == ["/r", "/p", "", "/r"]


def test_rows_are_numbered_within_their_chunk_and_carry_its_tenant():
    payload = request_of(LogRecord(), LogRecord())
    first = chunk(payload + payload, chunk_id=2**64 - 1)
    second = chunk(payload, chunk_id=0, workspace_id="other", retention_days=0)

    batch = decode("logs", [first, second])["otel_logs"]

    assert batch.column("ChunkRow").to_pylist() == [0, 1, 2, 3, 0, 1]
    assert batch.column("ChunkId").to_pylist() == [2**64 - 1] * 4 + [0] * 2
    assert batch.column("WorkspaceId").to_pylist() == ["acme"] * 4 + ["other"] * 2
    assert batch.column("RetentionDays").to_pylist() == [30] * 4 + [0] * 2


@pytest.mark.parametrize("chunks", [[], [chunk(b"")], [chunk(request_of())] * 3])
def test_no_records_give_a_batch_without_rows(chunks):
    batch = decode("logs", chunks)["otel_logs"]
    assert (batch.num_rows, batch.schema) == (0, columnar.SCHEMA)


def test_the_columns_are_those_of_the_table_in_its_order():
    _, _, after_bracket = SCHEMA.read_text(encoding="utf-8").partition("(\n")
    columns, _, _ = after_bracket.partition("INDEX")
    declared = [line.split()[0] for line in columns.splitlines() if line.strip()]
    assert columnar.SCHEMA.names == declared


def test_an_unknown_signal_is_refused():
    with pytest.raises(UnknownSignalError, match="'smells'"):
        decode("smells", [])


def test_threads_share_the_decoder():
    chunks = []
    for number in range(8):
        records = [LogRecord(event_name=str(number))] * 500
        chunks.append(chunk(request_of(*records), chunk_id=number))
    expected = columnar.decode(chunks)["otel_logs"]
    results = []

    def run():
        results.extend(columnar.decode(chunks)["otel_logs"] for _ in range(5))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(results) == 4 * 5
    assert all(result.equals(expected) for result in results)


def real_lines():
    """The first lines of many systems' logs; without those files, made-up lines."""
    files = sorted(LOGHUB.glob("*.log"))
    if not files:
        return [
            f"2026-11-22 10:00:{n % 60:02d} host app[{n}]: line {n * n} \u00e9" for n in range(500)
        ]

    lines = []
    for file in files:
        with file.open(encoding="utf-8", errors="replace") as stream:
            lines += [line.rstrip("\n") for line in itertools.islice(stream, 300)]
    return lines


def test_real_lines_come_out_as_they_went_in():
    lines = real_lines()
    records = [
        LogRecord(
            time_unix_nano=1_763_700_000 * SECOND + number,
            severity_text="INFO",
            body=AnyValue(string_value=line),
            attributes=[
                attribute("words", int_value=len(line.split())),
                attribute("line", string_value=line),
            ],
        )
        for number, line in enumerate(lines)
    ]
    chunks = [chunk(request_of(*records[n::5]), chunk_id=n) for n in range(5)]

    tables = columnar.decode(chunks)

    assert_same(tables, reference.decode_logs(chunks))
    assert sorted(tables["otel_logs"].column("Body").to_pylist()) == sorted(lines)
