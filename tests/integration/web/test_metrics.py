"""Series of metrics, compared with values computed by hand."""

import itertools

import pytest

from storage.time_range import LAST_MS
from tests.integration.made_metrics import BASE_S, CUMULATIVE, DELTA, Stream, numbers, put_metrics

pytestmark = pytest.mark.integration

names = (f"metrics-{number}" for number in itertools.count())


@pytest.fixture
def client(engine_settings, client_of):
    return client_of(engine_settings)


@pytest.fixture
def series(engine_settings, client):
    """Store streams in a new workspace and ask for series over minutes; values by labels."""

    def ask(streams, *, minutes=5, **query):
        workspace = next(names)
        put_metrics(engine_settings, workspace, *streams)
        body = {
            "workspace_id": workspace,
            "metric": streams[0].name,
            "start_time_ms": BASE_S * 1000,
            "end_time_ms": (BASE_S + 60 * minutes) * 1000 - 1,
            "step": 60_000,
        }
        response = client.post("/api/v1/metrics/query", json=body | query)
        assert response.status_code == 200, response.get_json()

        starts = [(BASE_S + 60 * minute) * 1000 for minute in range(minutes)]
        found = {}
        for each in response.get_json()["series"]:
            assert [start for start, _ in each["points"]] == starts
            labels = tuple(each["labels"].values())
            found[labels] = [value for _, value in each["points"]]
        return found

    return ask


def total(found):
    [values] = found.values()
    return values


def counter(*points, start=None, **more):
    return Stream(points=numbers(*points, start=start), **more)


OLD = -10 * 3600
"""A start that is long before anything that is read."""


def test_a_counter_increases_by_differences_the_one_before_the_first_window_included(series):
    stream = counter((-30, 100), (30, 110), (90, 115), (150, 115), (210, 130), start=OLD)
    found = series([stream], aggregation="increase")
    assert total(found) == [10, 5, 0, 15, None]


def test_a_rate_is_the_increase_by_second_of_the_window(series):
    stream = counter((-30, 100), (30, 160), (90, 190), start=OLD)
    found = series([stream], aggregation="rate", minutes=3)
    assert total(found) == [1, 0.5, None]


def test_a_reset_by_a_new_start_counts_from_zero_even_if_the_value_is_larger(series):
    stream = counter((-30, 100, OLD), (30, 110, OLD), (90, 500, 40), (150, 510, 40))
    found = series([stream], aggregation="increase", minutes=3)
    assert total(found) == [10, 500, 10]


def test_a_reset_without_a_start_shows_by_a_value_that_drops(series):
    stream = counter((-30, 100), (30, 110), (90, 7), (150, 9))
    found = series([stream], aggregation="increase", minutes=3)
    assert total(found) == [10, 7, 2]


def test_a_start_at_the_data_points_own_time_says_that_nothing_is_known_of_the_increase(series):
    stream = counter((-30, 100, OLD), (30, 110, OLD), (90, 300, 90), (150, 310, 90))
    found = series([stream], aggregation="increase", minutes=3)
    assert total(found) == [10, None, 10]


def test_a_stream_that_starts_late_counts_from_its_start(series):
    stream = counter((90, 12), (150, 20), start=80)
    found = series([stream], aggregation="increase", minutes=3)
    assert total(found) == [None, 12, 8]


def test_of_the_first_data_point_of_an_older_stream_nothing_is_known(series):
    for start in (OLD, None):
        stream = counter((30, 1000), (90, 1010), start=start)
        found = series([stream], aggregation="increase", minutes=2)
        assert total(found) == [None, 10]


def test_an_increase_across_a_gap_belongs_to_the_window_that_ends_it(series):
    stream = counter((-30, 100), (30, 110), (250, 150), start=OLD)
    found = series([stream], aggregation="increase")
    assert total(found) == [10, None, None, None, 40]


def test_deltas_are_added_up(series):
    stream = counter((10, 3), (20, 4), (70, 5), start=0, temporality=DELTA)
    found = series([stream], aggregation="increase", minutes=2)
    assert total(found) == [7, 5]


def test_both_temporalities_of_one_metric_are_added_together(series):
    cumulative = counter((-30, 100), (30, 110), (90, 120), start=OLD, temporality=CUMULATIVE)
    delta = counter((30, 3), (90, 4), start=0, temporality=DELTA)
    found = series([cumulative, delta], aggregation="increase", minutes=2)
    assert total(found) == [13, 14]


def test_streams_are_told_apart_by_attributes_resource_and_scope_before_they_are_added(series):
    def stream(base, **identity):
        points = [(-30, base), (30, base + 1), (90, base + 3)]
        return counter(*points, start=OLD, **identity)

    streams = [
        stream(100),
        stream(5, attributes={"route": "/a"}),
        stream(900, resource={"service.name": "shop", "host": "b"}),
        stream(50, scope="library"),
    ]
    found = series(streams, aggregation="increase", minutes=2)
    assert total(found) == [4, 8]


def test_attributes_in_another_order_are_the_same_stream(series):
    one = counter((-30, 100), (30, 110), start=OLD, attributes={"a": "1", "b": "2"})
    other = counter((90, 130), start=OLD, attributes={"b": "2", "a": "1"})
    found = series([one, other], aggregation="increase", minutes=2)
    assert total(found) == [10, 20]


def test_series_have_labels_of_attributes_resource_and_service(series):
    streams = [
        counter((-1, 0), (30, 10), start=OLD, attributes={"route": "/a"}),
        counter((-1, 0), (30, 20), start=OLD, attributes={"route": "/b", "host": "own"}),
        counter((-1, 0), (30, 40), start=OLD, resource={"service.name": "mail", "host": "h"}),
    ]
    asked = {"aggregation": "increase", "minutes": 1}

    assert series(streams, by=["service", "route", "host"], **asked) == {
        ("mail", "", "h"): [40],
        ("shop", "/a", ""): [10],
        ("shop", "/b", "own"): [20],
    }
    assert series(streams, attributes={"route": "/a"}, **asked) == {(): [10]}
    assert series(streams, attributes={"route": "/c"}, **asked) == {}


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [
        ("avg", [(1.5 + 10) / 2, 4.0, None]),
        ("min", [1, 4, None]),
        ("max", [10, 4, None]),
        ("count", [3, 1, None]),
        ("last", [10, 4, None]),
        ("sum", [2 + 10, 4, None]),
    ],
)
def test_gauges_are_computed_by_stream_and_then_across(series, aggregation, expected):
    streams = [
        Stream(kind="gauge", points=numbers((10, 1), (20, 2), (70, 4))),
        Stream(kind="gauge", points=numbers((30, 10)), attributes={"room": "b"}),
    ]
    assert total(series(streams, aggregation=aggregation, minutes=3)) == expected


def test_a_quantile_of_a_gauge_is_that_of_all_its_values(series):
    even, odd = ([(n, n) for n in range(first, 11, 2)] for first in (0, 1))
    streams = [
        Stream(kind="gauge", points=numbers(*even)),
        Stream(kind="gauge", points=numbers(*odd), scope="other"),
    ]
    found = series(streams, aggregation="quantile", quantile=0.25, minutes=1)
    assert total(found) == [2.5]


def test_the_sum_of_what_goes_up_and_down_is_that_of_its_last_values(series):
    streams = [
        counter((10, 5), (20, 3), start=OLD, monotonic=False),
        counter((10, 7), start=OLD, monotonic=False, scope="other"),
        counter((10, 100), (20, -30), start=0, monotonic=False, temporality=DELTA),
    ]

    assert total(series(streams, aggregation="sum", minutes=1)) == [3 + 7 + 70]
    assert total(series(streams[:1], aggregation="increase", minutes=1)) == [-2]


def test_data_points_that_only_say_that_there_is_no_value_do_not_count(series):
    points = [*numbers((10, 4)), {"time": 20, "flags": 1}]
    stream = Stream(kind="gauge", points=points)
    assert total(series([stream], aggregation="min", minutes=1)) == [4]


def histogram(*points, start=OLD, bounds=(1.0, 2.0, 4.0), extremes=None, **more):
    """A histogram from times and bucket counts; its sum is ten times its count."""
    made = [
        {
            "time": time,
            "start": start,
            "bucket_counts": counts,
            "explicit_bounds": bounds,
            "count": sum(counts),
            "sum": 10.0 * sum(counts),
            **(extremes or {}),
        }
        for time, counts in points
    ]
    return Stream(kind="histogram", points=made, **more)


def test_a_cumulative_histograms_quantile_is_that_of_what_came_within_the_window(series):
    stream = histogram(
        (-30, [100, 0, 0, 0]), (30, [100, 4, 0, 0]), (90, [100, 4, 0, 5]), (150, [0, 0, 2, 0])
    )
    found = series([stream], aggregation="quantile", quantile=0.5, minutes=3)
    # Half of (1, 2]; beyond the last bound; half of (2, 4] after a reset.
    assert total(found) == [1.5, 4.0, 3.0]


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [
        ("rate", [4 / 60, 6 / 60]),
        ("increase", [4, 6]),
        ("count", [4, 6]),
        ("sum", [40, 60]),
        ("avg", [10, 10]),
    ],
)
def test_histograms_count_measurements(series, aggregation, expected):
    streams = [
        histogram((-30, [1, 0, 0, 0]), (30, [1, 3, 0, 0]), (90, [1, 3, 0, 5])),
        histogram((30, [1, 0, 0, 0]), (90, [0, 1, 0, 0]), temporality=DELTA),
    ]
    found = series(streams, aggregation=aggregation, minutes=2)
    assert total(found) == pytest.approx(expected, rel=1e-11)


def test_a_histograms_extremes_are_given_and_bound_its_quantiles(series):
    stream = histogram((30, [2, 0, 0, 2]), temporality=DELTA, extremes={"min": 0.5, "max": 6.0})
    assert total(series([stream], aggregation="min", minutes=1)) == [0.5]
    assert total(series([stream], aggregation="max", minutes=1)) == [6.0]

    quantiles = {0: 0.5, 0.25: 0.75, 0.75: 5.0, 1: 6.0}
    for quantile, value in quantiles.items():
        found = series([stream], aggregation="quantile", quantile=quantile, minutes=1)
        assert total(found) == [value]


def test_histograms_with_different_bounds_are_merged_at_those_that_they_share(series):
    streams = [
        histogram((30, [0, 2, 2, 0]), temporality=DELTA),
        histogram((30, [4, 0]), temporality=DELTA, bounds=(4.0,), scope="other"),
    ]
    found = series(streams, aggregation="quantile", quantile=0.5, minutes=1)
    assert total(found) == [2.0]  # Half of (0, 4]: all that the two have in common.


def exponential(time, scale, positive, *, offset=0, negative=(), zeros=0, **more):
    return {
        "time": time,
        "start": OLD,
        "scale": scale,
        "count": sum(positive) + sum(negative) + zeros,
        "sum": 1.0,
        "zero_count": zeros,
        "positive": {"offset": offset, "bucket_counts": positive},
        "negative": {"offset": 0, "bucket_counts": negative},
        **more,
    }


def test_an_exponential_histogram_that_grew_coarser_is_compared_at_the_coarser_scale(series):
    # At scale 1 the buckets -2..3 reach to 2^(-1/2), 1, 2^(1/2), 2, 2^(3/2), 4; at 0 to 1, 2, 4.
    points = [
        exponential(-30, 1, [1, 1, 1, 1, 1, 1], offset=-2),
        exponential(30, 0, [2, 2, 6], offset=-1),
    ]
    stream = Stream(kind="exponential_histogram", points=points)
    quantiles = {0: 2.0, 0.5: 2 * 2**0.5, 1: 4.0}
    for quantile, value in quantiles.items():
        found = series([stream], aggregation="quantile", quantile=quantile, minutes=1)
        assert total(found) == [pytest.approx(value)]


def test_exponential_histograms_of_different_scales_are_merged_with_zeros_and_negatives(series):
    points = [
        exponential(30, 1, [1, 1], negative=[4], zeros=2),
        exponential(30, 0, [2], negative=[0], zeros=2),
    ]
    streams = [
        Stream(
            kind="exponential_histogram",
            temporality=DELTA,
            points=[point],
            scope=str(point["scale"]),
        )
        for point in points
    ]
    quantiles = {0: -2.0, 1 / 6: -(2**0.5), 0.5: 0.0, 1: 2.0}
    for quantile, value in quantiles.items():
        found = series(streams, aggregation="quantile", quantile=quantile, minutes=1)
        assert total(found) == [pytest.approx(value)]


def summary(time, count, **quantiles):
    """A data point of a summary; `q99=3.0` is its 0.99 quantile."""
    values = [
        {"quantile": float(name.removeprefix("q")) / 100, "value": value}
        for name, value in quantiles.items()
    ]
    return {
        "time": time,
        "start": OLD,
        "count": count,
        "sum": 2.0 * count,
        "quantile_values": values,
    }


def test_a_summary_has_its_own_quantiles_and_counts(series):
    streams = [
        Stream(kind="summary", points=[summary(-9, 1), summary(30, 5, q50=1.0, q99=3.0)]),
        Stream(kind="summary", points=[summary(-9, 1), summary(30, 2, q50=2.0)], scope="other"),
    ]
    ask = {"aggregation": "quantile", "minutes": 1}

    assert total(series(streams, quantile=0.99, **ask)) == [3.0]
    assert total(series(streams, quantile=0.5, **ask)) == [2.0]
    assert series(streams, quantile=0.9, **ask) == {}
    assert total(series(streams, aggregation="avg", minutes=1)) == [2.0]
    assert total(series(streams, aggregation="increase", minutes=1)) == [5]


@pytest.fixture(scope="module")
def shop(engine_settings):
    """A workspace with a sum, a gauge, and a metric that is both."""
    put_metrics(
        engine_settings,
        "metrics-shop",
        counter((30, 1), start=0, name="orders.total", unit="{order}", description="Orders"),
        counter((40, 1), start=0, name="orders.total", temporality=DELTA, attributes={"a": "1"}),
        counter((50, 1), name="orders.open", monotonic=False, attributes={"a": "2", "b": ""}),
        Stream(kind="gauge", name="orders.open", points=numbers((20, 1))),
        Stream(kind="gauge", name="50%_used", points=numbers((20, 1)), resource={}),
    )
    return {"workspace_id": "metrics-shop", "start_time_ms": BASE_S * 1000}


RANGE = {"start_time_ms": BASE_S * 1000, "end_time_ms": (BASE_S + 60) * 1000}
SHOP = {"workspace_id": "metrics-shop", **RANGE}


def listed(client, **query):
    answer = client.get("/api/v1/metrics", query_string=SHOP | query).get_json()
    return [(metric["name"], metric["kind"]) for metric in answer["metrics"]]


@pytest.mark.usefixtures("shop")
def test_metrics_are_listed_with_all_that_is_known_of_them(client):
    def metrics(prefix):
        query = SHOP | {"prefix": prefix}
        return client.get("/api/v1/metrics", query_string=query).get_json()

    answer = metrics("orders.t")
    [totals] = answer["metrics"]
    assert totals == {
        "name": "orders.total",
        "kind": "sum",
        "aggregations": [
            *("rate", "increase", "sum", "avg", "min", "max", "count", "last", "quantile"),
        ],
        "unit": totals["unit"],
        "description": totals["description"],
        "temporalities": ["delta", "cumulative"],
        "monotonic": True,
        "services": ["shop"],
        "attributes": {"a": ["1"]},
        "data_points": 2,
        "last_seen": "2026-07-14T03:34:40.000000000Z",
    }
    assert answer["has_more"] is False
    # Its two streams differ in their unit.
    assert totals["unit"] in {"{order}", "1"}

    gauge, goes_up_and_down = metrics("orders.o")["metrics"]
    assert (gauge["temporalities"], gauge["monotonic"]) == ([], None)
    assert goes_up_and_down["monotonic"] is False
    assert goes_up_and_down["attributes"] == {"a": ["2"], "b": [""]}


@pytest.mark.usefixtures("shop")
def test_metrics_are_found_by_prefix_text_service_and_time(client):
    everything = [
        ("50%_used", "gauge"),
        ("orders.open", "gauge"),
        ("orders.open", "sum"),
        ("orders.total", "sum"),
    ]

    assert listed(client) == everything
    assert listed(client, search="ERS.T") == everything[3:]
    assert listed(client, search="0%_U") == everything[:1]
    assert listed(client, search="%_e") == []
    assert listed(client, prefix="orders.o") == everything[1:3]
    assert listed(client, service_name="shop") == everything[1:]
    assert listed(client, end_time_ms=(BASE_S + 20) * 1000) == everything[:2]
    assert listed(client, workspace_id="metrics-nobody") == []
    assert listed(client, limit=2) == everything[:2]


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ({"metric": "orders.open", "aggregation": "max"}, 422, "kind"),
        ({"metric": "orders.open", "aggregation": "rate", "kind": "gauge"}, 422, "aggregation"),
        ({"metric": "orders.total", "aggregation": "quantile"}, 422, "quantile"),
        ({"metric": "orders.total", "aggregation": "sum", "quantile": 0.5}, 422, "quantile"),
        ({"metric": "orders.total", "aggregation": "quantile", "quantile": 2}, 422, "quantile"),
        ({"metric": "orders.total", "aggregation": "median"}, 422, "aggregation"),
        ({"metric": "orders.total", "aggregation": "sum", "step": 1}, 422, "step"),
        ({"metric": "orders.total", "aggregation": "sum", "step": 0}, 422, "step"),
        ({"aggregation": "sum"}, 422, "metric"),
        ({"metric": "orders.total", "aggregation": "sum", "group": "a"}, 422, "group"),
        ({"metric": "orders.none", "aggregation": "sum"}, 404, None),
    ],
)
def test_a_query_that_cannot_be_answered_says_why(client, query, status, field):
    for response in (
        client.get("/api/v1/metrics/query", query_string=SHOP | query),
        client.post("/api/v1/metrics/query", json=SHOP | query),
    ):
        assert response.status_code == status
        error = response.get_json()["error"]
        assert list(error["fields"]) == ([field] if field else [])
        assert field or "orders.none" in error["reason"]


def test_series_with_too_many_points_are_refused(engine_settings, client):
    streams = [
        Stream(kind="gauge", name="many", points=numbers((1, 1)), attributes={"n": str(number)})
        for number in range(101)
    ]
    put_metrics(engine_settings, "metrics-many", *streams)
    query = {
        **RANGE,
        "workspace_id": "metrics-many",
        "metric": "many",
        "aggregation": "max",
        "by": "n",
    }

    assert client.get("/api/v1/metrics/query", query_string=query).status_code == 200

    response = client.get("/api/v1/metrics/query", query_string=query | {"step": 60})
    assert response.status_code == 422
    assert list(response.get_json()["error"]["fields"]) == ["step"]


@pytest.mark.usefixtures("shop")
def test_the_step_is_chosen_from_the_range_and_windows_begin_at_the_epoch(client):
    end = BASE_S * 1000 + 17_001
    steps_by_hours = {1: 60_000, 24: 900_000, 24 * 7: 7_200_000}
    for hours, interval in steps_by_hours.items():
        query = {
            **SHOP,
            "metric": "orders.total",
            "aggregation": "sum",
            "start_time_ms": end - hours * 3_600_000,
            "end_time_ms": end,
        }
        answer = client.get("/api/v1/metrics/query", query_string=query).get_json()
        assert answer["interval_ms"] == interval
        assert answer["start_time_ms"] % interval == 0
        assert (answer["end_time_ms"] + 1) % interval == 0
        assert answer["start_time_ms"] <= query["start_time_ms"]
        assert answer["end_time_ms"] >= end
        assert answer["unit"] in {"{order}", "1"}


def test_windows_that_reach_beyond_the_last_time_find_what_is_there(engine_settings, client):
    put_metrics(engine_settings, "metrics-late", Stream(kind="gauge", points=numbers((10, 4))))
    query = {
        "workspace_id": "metrics-late",
        "metric": "requests",
        "aggregation": "max",
        "start_time_ms": BASE_S * 1000,
        "end_time_ms": LAST_MS,
        "step": 366 * 86_400_000,
    }
    answer = client.get("/api/v1/metrics/query", query_string=query).get_json()
    [series] = answer["series"]

    assert series["points"][0][1] == 4


def test_a_value_that_is_no_finite_number_is_null(series):
    points = numbers((10, float("inf")), (70, float("nan")))
    found = series([Stream(kind="gauge", points=points)], aggregation="max", minutes=2)
    assert total(found) == [None, None]
