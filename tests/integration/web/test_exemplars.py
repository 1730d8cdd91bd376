"""Exemplars: measurements of a metric with the traces that they were made in."""

import itertools

import pytest

from tests.integration.made_metrics import BASE_S, Stream, exemplar, numbers, put_metrics

pytestmark = pytest.mark.integration

names = (f"exemplars-{number}" for number in itertools.count())


@pytest.fixture
def client(engine_settings, client_of):
    return client_of(engine_settings)


@pytest.fixture
def workspace():
    return next(names)


@pytest.fixture
def found(client, workspace):
    """Ask for the exemplars of five minutes, with windows of a minute."""

    def ask(metric="requests", **query):
        times = {"start_time_ms": BASE_S * 1000, "end_time_ms": (BASE_S + 300) * 1000 - 1}
        query = {"workspace_id": workspace, "metric": metric, "step": 60_000, **times} | query
        response = client.get("/api/v1/metrics/exemplars", query_string=query)
        assert response.status_code == 200, response.get_json()
        return response.get_json()["exemplars"]

    return ask


@pytest.fixture
def put(engine_settings, workspace):
    """Store a stream, with these exemplars at its first data point."""

    def store(*exemplars, at=30, client="web", **identity):
        points = numbers((at, 1.0))
        points[0]["exemplars"] = exemplars
        stream = Stream(kind="gauge", points=points, **identity)
        put_metrics(engine_settings, workspace, stream, client=client)

    return store


def test_an_exemplar_says_when_where_and_what_was_measured(put, found):
    put(exemplar(10.5, 0.25, 7, {"user": "ada"}, span=3), attributes={"route": "/a"})
    assert found() == [
        {
            "timestamp": "2026-07-14T03:34:10.500000000Z",
            "value": 0.25,
            "trace_id": f"{7:032x}",
            "span_id": f"{3:016x}",
            "service_name": "shop",
            "attributes": {"user": "ada", "route": "/a"},
        }
    ]


def test_the_highest_of_each_window_are_returned_ordered_by_time(put, found):
    values = [(10, 5.0), (20, 9.0), (25, 7.0), (70, 1.0), (130, 3.0)]
    put(*(exemplar(time, value, trace) for trace, (time, value) in enumerate(values, 1)))
    assert [each["value"] for each in found()] == [9, 1, 3]
    assert [each["value"] for each in found(per_window=2)] == [9, 7, 1, 3]
    assert [each["value"] for each in found(limit=2)] == [9, 3]


def test_an_exemplar_that_several_data_points_repeat_is_returned_once(put, found):
    repeated = exemplar(10, 5.0, 1)
    put(repeated, at=30)
    put(repeated, at=90)
    assert len(found(per_window=100)) == 1


def test_an_exemplar_of_the_range_is_found_if_its_data_point_was_collected_after_it(put, found):
    put(exemplar(290, 5.0, 1), exemplar(310, 6.0, 2), at=330)
    assert [each["value"] for each in found()] == [5]


def test_measurements_without_a_trace_or_a_finite_value_are_left_out(put, found):
    put(exemplar(10, 5.0, 0), exemplar(20, float("inf"), 1), exemplar(80, float("nan"), 2))
    assert found() == []


@pytest.mark.parametrize(
    "query",
    [{"service_name": "cart"}, {"client_id": "mobile"}, {"attributes": '{"route": "/b"}'}],
    ids=lambda query: next(iter(query)),
)
def test_filters_are_those_of_the_data_points(put, found, query):
    put(exemplar(10, 9.0, 1), attributes={"route": "/a"})
    cart = {"service.name": "cart"}
    put(exemplar(20, 5.0, 2), attributes={"route": "/b"}, resource=cart, client="mobile")
    assert [each["value"] for each in found(**query)] == [5]


@pytest.mark.parametrize("kind", ["sum", "histogram", "exponential_histogram"])
def test_every_kind_that_has_exemplars_is_read(engine_settings, workspace, found, kind):
    point = {"time": 30, "exemplars": [exemplar(10, 5.0, 1)]}
    if kind == "histogram":
        point |= {"count": 1, "bucket_counts": [1]}
    put_metrics(engine_settings, workspace, Stream(kind=kind, points=[point]))
    assert [each["value"] for each in found()] == [5]


def test_a_summary_has_no_exemplars(engine_settings, workspace, found):
    points = [{"time": 30, "count": 1, "sum": 1.0}]
    put_metrics(engine_settings, workspace, Stream(kind="summary", points=points))
    assert found() == []


def test_an_unknown_metric_is_answered_404_and_too_many_windows_422(put, client, workspace):
    put(exemplar(10, 5.0, 1))
    query = {"workspace_id": workspace, "start_time_ms": BASE_S * 1000, "metric": "other"}
    answer = client.get("/api/v1/metrics/exemplars", query_string=query)
    assert answer.status_code == 404
    query |= {"metric": "requests", "interval": 1, "end_time_ms": (BASE_S + 300) * 1000}
    answer = client.get("/api/v1/metrics/exemplars", query_string=query)
    assert answer.status_code == 422
    assert list(answer.get_json()["error"]["fields"]) == ["interval"]
