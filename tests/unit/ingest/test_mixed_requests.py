"""Each good record comes out once, each wrong one is counted and named, whatever stands beside it.

`OTLP_EXAMPLES` says how many requests of each signal and encoding are tried: at length 100,000.
"""

import os
import re
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest import otlp, otlp_json
from ingest.tenant import Tenant
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
    pieces = otlp_json.cut(service, in_json(service, plan), Tenant())
    _check(service, pieces, expected(service, plan, service.json_names))


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.signal)
@given(st.data())
@_mixed
def test_in_protobuf_the_good_are_stored_once_and_the_wrong_are_named(service, data):
    plan = data.draw(plans(service, IN_PROTOBUF))
    pieces = otlp.cut(service, in_protobuf(service, plan), Tenant())
    _check(service, pieces, expected(service, plan, service.names))


def _check(service, pieces, wanted):
    kept, refused, count = wanted
    assert _stored(service, pieces) == kept
    assert pieces.records == kept.total()
    assert pieces.rejected == count
    assert bool(pieces.reason) == bool(refused)
    named = sorted(refused, key=lambda place: [int(x) for x in re.findall(r"\[(\d+)\]", place)])
    for place in named[:5]:
        assert re.search(re.escape(f"{place}: ") + f"[^;]*({refused[place]})", pieces.reason)
    assert (f"and {len(named) - 5} more" in pieces.reason) == (len(named) > 5)


def _stored(service, pieces):
    """Records as (client, n, x), from both decoders, which must agree."""
    found = Counter()
    for piece in pieces:
        chunk = [ChunkRows(piece.payload, *piece.tenant, 7, 10**18, 0)]
        tables = SIGNALS[service.signal].columnar(chunk)
        assert_same(tables, SIGNALS[service.signal].plain(chunk))
        for table, rows in tables.items():
            if table == "otel_traces_trace_id_ts":
                continue
            for row in rows.select(["ClientId", _ATTRIBUTES.get(table, "Attributes")]).to_pylist():
                client, attributes = row.values()
                attributes = dict(attributes)
                found[client, attributes["n"], attributes["x"]] += 1
    return found
