"""Which pages are light queries and which are heavy."""

from web.http.costs import of_log_page, of_trace_page


def test_a_short_page_is_light_unless_a_text_has_to_be_searched_for():
    assert of_log_page({"limit": 10, "service_name": "cart"}) == "light"
    assert of_log_page({"limit": 10_000}) == "heavy"
    assert of_log_page({"limit": 10, "offset": 50_000}) == "heavy"

    for name in ("search", "q", "attributes"):
        assert of_log_page({"limit": 10, name: "x"}) == "heavy"


def test_the_newest_traces_are_light_and_chosen_ones_are_heavy():
    newest = {"limit": 10, "sort": "start", "order": "desc"}
    assert of_trace_page(newest) == "light"

    for name, value in (("sort", "duration"), ("q", "x"), ("min_duration_ms", 1), ("limit", 500)):
        assert of_trace_page(newest | {name: value}) == "heavy"
