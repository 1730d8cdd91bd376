"""OTLP requests as clients might send them, and stranger ones."""

from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from storage.decode import ChunkRows
from storage.time_range import END_NS

UNKNOWN_FIELDS = st.sampled_from(
    [b"", b"", b"", b"\xa0\x06\x01", b"\xa2\x06\x02ab", b"\xa3\x06\xa4\x06"]
)

strings = st.one_of(
    st.text(max_size=12),
    st.text(min_size=120, max_size=140),
    st.sampled_from(["", "\x00", "a\x00b", "é", "日本語" * 60, '"\\\n', "\u2028", "x" * 20_000]),
)
keys = st.one_of(
    st.sampled_from(["http.route", "url.path", "service.name", "service.version", "k", ""]),
    st.text(max_size=4),
)
int64 = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([0, 1, -1, 127, 128, 2**56, 2**62, 2**63 - 1, -(2**63)]),
)
uint64 = st.one_of(
    st.sampled_from([0, 0, 1, 1_763_700_000_000_000_000, END_NS - 1, END_NS, 2**63, 2**64 - 1]),
    st.integers(0, 2**64 - 1),
)


def ids(size):
    """Valid ids, and invalid ones: of another length, or of zeros."""
    return st.one_of(
        st.binary(min_size=size, max_size=size),
        st.binary(max_size=size + 4),
        st.integers(0, size + 1).map(bytes),
    )


doubles = st.one_of(
    st.floats(), st.sampled_from([0.0, -0.0, 1.0, 1e-6, 9.9e-7, 1e10, 1e15, 1e20, 1e21, 5e-324])
)


def with_unknown(message, extra):
    # On a copy: strategies hand out some messages again and again.
    copy = type(message)()
    copy.CopyFrom(message)
    copy.MergeFromString(extra)
    return copy


def _array(items):
    return AnyValue(array_value=ArrayValue(values=items))


def _kvlist(pairs):
    values = [KeyValue(key=key, value=value) for key, value in pairs]
    return AnyValue(kvlist_value=KeyValueList(values=values))


scalars = st.one_of(
    st.just(AnyValue()),
    strings.map(lambda v: AnyValue(string_value=v)),
    st.booleans().map(lambda v: AnyValue(bool_value=v)),
    int64.map(lambda v: AnyValue(int_value=v)),
    doubles.map(lambda v: AnyValue(double_value=v)),
    st.binary(max_size=6).map(lambda v: AnyValue(bytes_value=v)),
    st.just(AnyValue(string_value_strindex=3)),
)
any_values = st.builds(
    with_unknown,
    st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(_array),
            st.lists(st.tuples(keys, inner), max_size=3).map(_kvlist),
        ),
        max_leaves=5,
    ),
    UNKNOWN_FIELDS,
)
attributes = st.lists(
    st.one_of(
        st.builds(KeyValue, key=keys, value=any_values),
        st.builds(KeyValue, key=keys),
        st.builds(KeyValue, key=keys, value=any_values, key_strindex=st.just(2)),
    ),
    max_size=5,
)
records = st.builds(
    with_unknown,
    st.builds(
        LogRecord,
        time_unix_nano=uint64,
        observed_time_unix_nano=uint64,
        severity_number=st.one_of(st.integers(0, 24), st.sampled_from([-1, 255, 256, 2**31 - 1])),
        severity_text=strings,
        body=st.one_of(st.none(), any_values),
        attributes=attributes,
        dropped_attributes_count=st.integers(0, 9),
        flags=st.integers(0, 2**32 - 1),
        trace_id=ids(16),
        span_id=ids(8),
        event_name=strings,
    ),
    UNKNOWN_FIELDS,
)
scopes = st.builds(
    ScopeLogs,
    scope=st.one_of(
        st.none(),
        st.builds(InstrumentationScope, name=strings, version=strings, attributes=attributes),
    ),
    log_records=st.lists(records, max_size=4),
    schema_url=strings,
)
resources = st.builds(
    ResourceLogs,
    resource=st.one_of(st.none(), st.builds(Resource, attributes=attributes)),
    scope_logs=st.lists(scopes, max_size=3),
    schema_url=strings,
)
requests = st.builds(
    with_unknown,
    st.builds(ExportLogsServiceRequest, resource_logs=st.lists(resources, max_size=3)),
    UNKNOWN_FIELDS,
)
tenants = st.sampled_from(["default", "acme", "a.b:c-d_e"])


def joined(several):
    """Payloads of one or two of these requests."""

    def payload(found):
        return b"".join(each.SerializeToString() for each in found)

    return st.lists(several, min_size=1, max_size=2).map(payload)


@st.composite
def chunk_lists(draw, payloads=None):
    """Up to four chunks with different ids."""
    if payloads is None:
        payloads = joined(requests)
    ids = draw(st.lists(st.integers(0, 2**64 - 1), max_size=4, unique=True))
    return [
        ChunkRows(
            payload=draw(payloads),
            workspace_id=draw(tenants),
            client_id=draw(tenants),
            chunk_id=chunk_id,
            received_ns=draw(st.integers(1, 2**62)),
            retention_days=draw(st.integers(0, 3650)),
        )
        for chunk_id in ids
    ]
