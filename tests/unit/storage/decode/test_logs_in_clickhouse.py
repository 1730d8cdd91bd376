from pathlib import Path
from string import Template

import pyarrow as pa
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
)
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from storage.decode import ChunkRows, decode, partitions

SCHEMA = Path(__file__).parents[4] / "storage" / "schema" / "0001_otel_logs.sql"
TIMES = [1, 1_763_700_000_123_456_789, 1_763_700_000_123_456_790, 2**63 - 1]


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    chdb = pytest.importorskip("chdb._chdb")
    connection = chdb.connect(str(tmp_path_factory.mktemp("engine") / "data"))
    template = Template(SCHEMA.read_text(encoding="utf-8"))
    connection.query(
        template.substitute(local="", on_cluster="", engine="MergeTree", fsync="0"), "CSV"
    )
    yield connection
    connection.close()


def attribute(key, **value):
    return KeyValue(key=key, value=AnyValue(**value))


def chunk(chunk_id, workspace):
    array = ArrayValue(values=[AnyValue(int_value=1), AnyValue(string_value="é\x00")])
    records = [
        LogRecord(
            time_unix_nano=time,
            severity_number=9,
            severity_text="INFO",
            body=AnyValue(string_value=f"line {time} \x00 日本語"),
            attributes=[
                attribute("http.route", string_value="/r"),
                attribute("zero", int_value=0),
                attribute("no", bool_value=False),
                attribute("empty", string_value=""),
                attribute("list", array_value=array),
            ],
            flags=0x101,
            trace_id=bytes(range(16)),
            span_id=b"\xff" * 8,
            event_name="e",
        )
        for time in TIMES
    ]
    scope = InstrumentationScope(name="s", version="1", attributes=[attribute("a", int_value=1)])
    service = [
        attribute("service.name", string_value=f"shop-{chunk_id}"),
        attribute("service.version", string_value="2"),
    ]
    resource_logs = ResourceLogs(
        resource=Resource(attributes=service),
        scope_logs=[ScopeLogs(scope=scope, log_records=records, schema_url="u2")],
        schema_url="u1",
    )
    request = ExportLogsServiceRequest(resource_logs=[resource_logs])
    return ChunkRows(request.SerializeToString(), workspace, "web", chunk_id, 1, 0)


def stream_of(batch):
    """A batch in the format ArrowStream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def read_back(engine, query):
    content = engine.query(f"{query} SETTINGS output_format_arrow_string_as_string = 1", "Arrow")
    with pa.ipc.open_file(pa.BufferReader(content.bytes())) as reader:
        return reader.read_all().combine_chunks()


@pytest.mark.integration
def test_a_decoded_batch_is_read_back_from_the_engine_as_it_was(engine):
    batch = decode("logs", [chunk(2**64 - 1, "acme"), chunk(0, "other")])["otel_logs"]
    insert = engine.send_insert("INSERT INTO otel_logs", "ArrowStream")
    engine.insert_append(insert, stream_of(batch))
    engine.insert_done(insert)

    timestamp, *others = batch.schema.names
    assert timestamp == "Timestamp"
    stored = read_back(
        engine,
        f"SELECT toUnixTimestamp64Nano(Timestamp) AS Nanoseconds, {', '.join(others)}"
        " FROM otel_logs ORDER BY ChunkId DESC, ChunkRow",
    )
    assert stored["Nanoseconds"].to_pylist() == batch["Timestamp"].view(pa.int64()).to_pylist()
    for name in others:
        assert stored[name].to_pylist() == batch[name].to_pylist(), name

    counted = read_back(
        engine,
        "SELECT ChunkId, toInt32(toDate32(Timestamp, 'UTC')) AS day, count() AS rows"
        " FROM otel_logs GROUP BY ChunkId, day",
    )
    assert partitions(batch) == {
        (row["ChunkId"], row["day"]): row["rows"] for row in counted.to_pylist()
    }
