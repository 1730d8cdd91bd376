"""What changed, found in real spans: slow against fast ones, failed ones against the others."""

import pytest

from ledger.ledger import Ledger
from tests.integration.made_traces import START_NS, MadeSpan
from web.app import create_app

pytestmark = pytest.mark.integration

WORKSPACE = "span-changes"
WHEN = {
    "workspace_id": WORKSPACE,
    "start_time_ms": START_NS // 10**6,
    "end_time_ms": START_NS // 10**6 + 400_000,
}


def span(number):
    """One of four hundred: every twentieth is slow and uses a pool of two connections."""
    is_slow, is_failed = number % 20 == 0, number % 16 == 1
    return MadeSpan(
        trace=number + 1,
        id=number + 1,
        service="payment" if number % 2 else "cart",
        name="refund" if is_failed else "pay",
        kind=3 if is_failed else 2,
        start=number * 1000,
        duration=900 + number % 7 if is_slow else 5 + number % 40,
        status="error" if is_failed else "unset",
        attributes={"id": f"{number:x}", **({"pool.size": "2"} if is_slow else {"region": "eu"})},
        resource={"service.version": "3.2.0" if is_slow else "3.1.9", "host": f"h{number % 3}"},
    )


@pytest.fixture(scope="module")
def ask(engine_settings, database, stored):
    stored(WORKSPACE, *(span(number) for number in range(400)))
    ledger = Ledger(engine_settings)
    client = create_app(engine_settings, database, ledger).test_client()

    def post(code=200, **arguments):
        response = client.post("/api/v1/traces/changes", json=WHEN | arguments)
        assert response.status_code == code, response.text
        return response.get_json()

    yield post
    ledger.close()


def terms_of(found):
    return [term for change in found["changes"] for term in (change, *change["same_records"])]


@pytest.mark.parametrize(
    ("selection", "least_ms"),
    [
        ({"min_duration": "500ms"}, 500),
        ({"slowest_percent": 5}, 900),
        ({"q": "duration_ms:>500"}, 0),
    ],
    ids=["a threshold", "the slowest", "a query"],
)
def test_slow_spans_are_told_from_fast_ones(ask, selection, least_ms):
    found = ask(selection=selection)
    assert found["exact"]
    assert found["selection"]["total"] == 20
    assert found["baseline"]["total"] == 380
    assert found["selection"]["min_duration_ms"] == least_ms

    first = found["changes"][0]
    assert first["kind"] == "version"
    assert (first["field"], first["value"]) == ("resource[service.version]", "3.2.0")
    assert first["q"] == 'resource[service.version]:"3.2.0"'
    assert (first["selection_share"], first["baseline_share"]) == (1, 0)
    [same] = first["same_records"]
    assert (same["field"], same["value"]) == ("attributes[pool.size]", "2")
    assert "attributes[id]" not in {term["field"] for term in terms_of(found)}


def test_failed_spans_are_told_from_the_others(ask):
    found = ask(selection={"q": "status:error"})
    assert found["selection"]["total"] == 25
    first = found["changes"][0]
    assert (first["field"], first["value"]) == ("operation", "refund")
    assert ("kind", "client") in {(each["field"], each["value"]) for each in terms_of(found)}
    # That failed ones have failed explains nothing.
    assert "status" not in {each["kind"] for each in terms_of(found)}


def test_two_time_ranges_are_compared(ask):
    half = START_NS // 10**6 + 200_000
    sides = {"selection": {"start": half}, "baseline": {"end": half - 1}}
    found = ask(**sides, direction="both")
    assert found["selection"]["total"] == found["baseline"]["total"] == 200
    assert found["changes"] == []


def test_filters_hold_for_both_sides(ask):
    found = ask(selection={"slowest_percent": 10}, operation="pay", service="cart")
    assert found["selection"]["total"] == 20
    assert found["baseline"]["total"] == 180
    assert found["changes"][0]["value"] == "3.2.0"
    assert ask(selection={"slowest_percent": 5}, service="nobody")["changes"] == []


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({}, "selection"),
        ({"selection": {}}, "selection"),
        ({"selection": {"slowest_percent": 0}}, "selection.slowest_percent"),
        ({"selection": {"min_duration_ms": -1}}, "selection.min_duration_ms"),
        ({"selection": {"q": "x"}, "baseline": {"slowest_percent": 1}}, "baseline.slowest_percent"),
        ({"selection": {"q": "status:("}}, "selection.q"),
    ],
)
def test_wrong_arguments_are_named(ask, arguments, field):
    assert list(ask(422, **arguments)["error"]["fields"]) == [field]
