"""A query for one client of a workspace shows nothing of the others, even in a shared trace.

A shop calls a bank; both are clients of the same workspace.
"""

import pytest

from tests.integration.made_traces import START_NS, MadeSpan, put

pytestmark = pytest.mark.integration

WHEN = {"start_time_ms": START_NS // 10**6 - 60_000, "end_time_ms": START_NS // 10**6 + 60_000}


@pytest.fixture(scope="module", autouse=True)
def shared(engine_settings):
    """A trace of two clients."""
    shop = MadeSpan(trace=5, id=1, service="shop", name="checkout", duration=9)
    bank = MadeSpan(trace=5, id=2, parent=1, service="bank", name="pay", duration=4)
    own = MadeSpan(trace=5, id=3, parent=2, service="ledger", name="book", duration=1)
    put(engine_settings, "shared", [shop], client="shop")
    put(engine_settings, "shared", [bank, own], client="bank")


def test_a_summary_is_of_the_clients_spans(api):
    [whole] = api("shared", **WHEN)["traces"]
    [part] = api("shared", client_id="bank", **WHEN)["traces"]
    assert (whole["span_count"], whole["services"]) == (3, ["bank", "ledger", "shop"])
    assert (part["span_count"], part["services"]) == (2, ["bank", "ledger"])
    assert (part["root_name"], part["duration_ms"]) == ("pay", 4)


def test_a_trace_is_as_long_as_the_clients_part_of_it(api):
    for client, found in (("bank", 0), ("shop", 1)):
        answer = api("shared", client_id=client, min_duration_ms=5, **WHEN)
        assert len(answer["traces"]) == found


def test_the_service_map_has_calls_within_the_client(api):
    whole = api("shared", "/service-map", **WHEN)
    part = api("shared", "/service-map", client_id="bank", **WHEN)
    assert {edge["caller"] for edge in whole["edges"]} == {"shop", "bank"}
    assert {edge["caller"] for edge in part["edges"]} == {"bank"}
    assert {node["service_name"] for node in part["nodes"]} == {"bank", "ledger"}
