"""Each endpoint has a cost, and a page has the cost of what it asks for."""

import pytest

from web.costs import COSTS, cost_of

WITHOUT_QUERIES = {"metrics", "page", "api-docs", "live_socket", "dead-letters.otlp"}


def test_every_endpoint_is_in_the_table_and_the_table_has_no_other(make_app):
    endpoints = {rule.endpoint for rule in make_app().url_map.iter_rules()}
    answered = {
        endpoint
        for endpoint in endpoints
        if not {endpoint, endpoint.partition(".")[0]} & WITHOUT_QUERIES - {"metrics"}
        and endpoint != "metrics"
    }
    assert answered == set(COSTS)


@pytest.mark.parametrize("endpoint", ["logs.logs", "ingestion.query", "ingestion.sorted_logs"])
def test_a_short_page_is_light_unless_a_text_has_to_be_searched_for(endpoint):
    assert cost_of(endpoint, {"limit": 10, "service_name": "cart"}) == "light"
    assert cost_of(endpoint, {"limit": 10_000}) == "heavy"
    assert cost_of(endpoint, {"limit": 10, "offset": 50_000}) == "heavy"
    for name in ("search", "q", "attributes"):
        assert cost_of(endpoint, {"limit": 10, name: "x"}) == "heavy"


def test_the_newest_traces_are_light_and_chosen_ones_are_heavy():
    newest = {"limit": 10, "sort": "start", "order": "desc"}
    assert cost_of("traces.traces", newest) == "light"
    for name, value in (("sort", "duration"), ("q", "x"), ("min_duration_ms", 1), ("limit", 500)):
        assert cost_of("traces.traces", newest | {name: value}) == "heavy"


def test_what_nobody_has_thought_of_is_heavy():
    assert cost_of("new.endpoint", {}) == "heavy"
