"""OTLP traces as clients might send them, and stranger ones."""

from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from tests.unit.storage.decode.strategies import (
    UNKNOWN_FIELDS,
    attributes,
    chunk_lists,
    ids,
    joined,
    strings,
    uint64,
    with_unknown,
)

enums = st.one_of(st.integers(0, 6), st.sampled_from([-1, 7, 2**31 - 1, -(2**31)]))
flags = st.integers(0, 2**32 - 1)
counts = st.integers(0, 9)
trace_ids = ids(16)
span_ids = ids(8)

events = st.builds(
    with_unknown,
    st.builds(
        Span.Event,
        time_unix_nano=uint64,
        name=strings,
        attributes=attributes,
        dropped_attributes_count=counts,
    ),
    UNKNOWN_FIELDS,
)
links = st.builds(
    with_unknown,
    st.builds(
        Span.Link,
        trace_id=trace_ids,
        span_id=span_ids,
        trace_state=strings,
        attributes=attributes,
        dropped_attributes_count=counts,
        flags=flags,
    ),
    UNKNOWN_FIELDS,
)
spans = st.builds(
    with_unknown,
    st.builds(
        Span,
        trace_id=trace_ids,
        span_id=span_ids,
        parent_span_id=span_ids,
        trace_state=strings,
        flags=flags,
        name=strings,
        kind=enums,
        start_time_unix_nano=uint64,
        end_time_unix_nano=uint64,
        attributes=attributes,
        dropped_attributes_count=counts,
        events=st.lists(events, max_size=3),
        dropped_events_count=counts,
        links=st.lists(links, max_size=3),
        dropped_links_count=counts,
        status=st.one_of(st.none(), st.builds(Status, code=enums, message=strings)),
    ),
    UNKNOWN_FIELDS,
)
scopes = st.builds(
    ScopeSpans,
    scope=st.one_of(
        st.none(),
        st.builds(InstrumentationScope, name=strings, version=strings, attributes=attributes),
    ),
    spans=st.lists(spans, max_size=4),
    schema_url=strings,
)
resources = st.builds(
    ResourceSpans,
    resource=st.one_of(st.none(), st.builds(Resource, attributes=attributes)),
    scope_spans=st.lists(scopes, max_size=3),
    schema_url=strings,
)
requests = st.builds(
    with_unknown,
    st.builds(ExportTraceServiceRequest, resource_spans=st.lists(resources, max_size=3)),
    UNKNOWN_FIELDS,
)
trace_chunks = chunk_lists(joined(requests))
