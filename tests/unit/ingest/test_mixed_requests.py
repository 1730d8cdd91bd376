"""Each good record is stored once, each wrong one counted and named, whatever their neighbours.

`OTLP_EXAMPLES` sets how many requests of each signal and encoding are tried: 100,000 in long runs.
"""

import os
import re
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.convert.otlp import request as otlp
from ingest.convert.otlp_json import request as otlp_json
from ingest.tenant import Sender
from storage.decode import SIGNALS, ChunkRows
from tests.unit.ingest.mixed_requests import (
    IN_JSON,
    IN_PROTOBUF,
    SERVICES,
    expected,
    in_json,
    in_protobuf,
    plans,
)
from tests.unit.storage.decode.alike import assert_same

_EXAMPLES = int(os.environ.get("OTLP_EXAMPLES", "60"))
_mixed = settings(
    deadline=None,
    max_examples=_EXAMPLES,
    suppress_health_check=list(HealthCheck),
)
_ATTRIBUTES = {"otel_logs": "LogAttributes", "otel_traces": "SpanAttributes"}


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.signal)
@given(st.data())
@_mixed
def test_in_json_the_good_are_stored_once_and_the_wrong_are_named(service, data):
    plan = data.draw(plans(service, IN_JSON))
    pieces = otlp_json.cut(service, in_json(service, plan), Sender())
    _check(service, pieces, expected(service, plan, service.json_names))


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.signal)
@given(st.data())
@_mixed
def test_in_protobuf_the_good_are_stored_once_and_the_wrong_are_named(service, data):
    plan = data.draw(plans(service, IN_PROTOBUF))
    pieces = otlp.cut(service, in_protobuf(service, plan), Sender())
    _check(service, pieces, expected(service, plan, service.names))


def _check(service, pieces, wanted):
    kept, reasons, refused = wanted
    assert _stored(service, pieces) == kept
    assert pieces.records == kept.total()
    assert pieces.rejected == refused
    assert bool(pieces.reason) == bool(reasons)

    # The first five are named, by their place in the request, and the rest are counted.
    places = sorted(reasons, key=_indexes)
    for place in places[:5]:
        named_with_reason = re.escape(f"{place}: ") + f"[^;]*({reasons[place]})"
        assert re.search(named_with_reason, pieces.reason)
    assert (f"and {len(places) - 5} more" in pieces.reason) == (len(places) > 5)


def _indexes(place):
    """The indexes of a place such as `resourceLogs[0].scopeLogs[12]`."""
    return [int(index) for index in re.findall(r"\[(\d+)\]", place)]


def _stored(service, pieces):
    """Count records as `(client, n, x)`, from both decoders, which must agree."""
    found = Counter()
    for piece in pieces:
        chunk = [ChunkRows(piece.payload, *piece.tenant, 7, 10**18, 0)]
        tables = SIGNALS[service.signal].columnar(chunk)
        assert_same(tables, SIGNALS[service.signal].plain(chunk))
        for table, rows in tables.items():
            if table == "otel_traces_trace_id_ts":
                continue
            attributes_of = rows[_ATTRIBUTES.get(table, "Attributes")].to_pylist()
            for client, pairs in zip(rows["ClientId"].to_pylist(), attributes_of, strict=True):
                attributes = dict(pairs)
                found[client, attributes["n"], attributes["x"]] += 1
    return found
