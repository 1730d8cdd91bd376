import datetime as dt
import statistics
import uuid
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from storage.query.logs.customers import customer_stats

pytestmark = pytest.mark.integration

WORKSPACE = "customers-test"

LINES = """\
2024-09-14 16:15:35 cust_5 /api/v1/resource4 200 0.772
2024-09-14 23:59:59 cust_5 /api/v1/resource1 503 0.300
2024-09-15 00:00:00 cust_5 /api/v1/resource2 200 0.500
2024-09-15 10:00:00 cust_5 /api/v1/resource2 301 0.1000005
2024-09-15 10:00:01 cust_5 /api/v1/resource2 399 0.200
2024-09-15 10:00:02 cust_5 /api/v1/resource2 400 0.400
2024-09-17 12:00:00 cust_5 /api/v1/resource2 404 slow
2024-09-14 16:15:36 cust_6 /api/v1/resource4 500 9.0
2024-09-14 16:15:36 cust_7 /api/v1/resource4 200 0.1000005
"""


def row(at, customer, status, duration, workspace=WORKSPACE, **attributes):
    known = {"customer.id": customer}
    if status is not None:
        known["http.response.status_code"] = str(status)
    if duration is not None:
        known["http.server.request.duration"] = str(duration)
    return {
        "Timestamp": int(at.timestamp()) * 10**9,
        "TraceId": "",
        "SpanId": "",
        "SeverityText": "",
        "SeverityNumber": 0,
        "ServiceName": "",
        "Body": "",
        "ResourceAttributes": {},
        "ScopeName": "",
        "LogAttributes": known | attributes,
        "WorkspaceId": workspace,
        "ClientId": "default",
        "ServiceVersion": "",
        "Endpoint": "",
        "ChunkId": 1,
        "ChunkRow": 0,
        "RetentionDays": 0,
    }


def row_of(line, workspace=WORKSPACE):
    day, clock, customer, route, status, duration = line.split()
    at = dt.datetime.fromisoformat(f"{day}T{clock}+00:00")
    return row(at, customer, status, duration, workspace, **{"http.route": route})


@pytest.fixture(scope="module")
def _stored(engine_settings, put_logs):
    from storage.clickhouse.client import Clickhouse

    clickhouse = Clickhouse(engine_settings)
    noon = dt.datetime(2024, 9, 14, 12, tzinfo=dt.UTC)
    put_logs(
        clickhouse,
        [
            *map(row_of, LINES.splitlines()),
            row(noon, "cust_5", None, "0.9"),
            row(noon, "cust_5", "none", "0.9"),
            row(noon, "only_logs", None, None),
            row(noon, "cust_5", 200, "7.0", workspace="customers-test-other"),
        ],
    )
    clickhouse.close()


@pytest.fixture
def ask(engine_settings, client_of, _stored):
    client = client_of(engine_settings)

    def get(customer, **parameters):
        path = f"/api/v1/customers/{customer}/stats"
        return client.get(path, query_string={"workspace_id": WORKSPACE} | parameters)

    return get


def test_a_customers_requests_are_counted_overall_and_by_day(ask):
    answer = ask("cust_5", from_date="2024-09-14", to_date="2024-09-17").get_json()
    assert answer["overall"] == {
        "total_requests": 7,
        "successful_requests": 4,
        "failed_requests": 3,
        "uptime": 57.14,
        "average_latency": 0.378667,
        "median_latency": 0.35,
        "p99_latency": 0.7584,
    }
    assert answer["by_day"] == [
        {
            "date": "2024-09-14",
            "total_requests": 2,
            "successful_requests": 1,
            "failed_requests": 1,
            "uptime": 50.0,
            "average_latency": 0.536,
            "median_latency": 0.536,
            "p99_latency": 0.76728,
        },
        {
            "date": "2024-09-15",
            "total_requests": 4,
            "successful_requests": 3,
            "failed_requests": 1,
            "uptime": 75.0,
            "average_latency": 0.3,
            "median_latency": 0.3,
            "p99_latency": 0.497,
        },
        {
            "date": "2024-09-17",
            "total_requests": 1,
            "successful_requests": 0,
            "failed_requests": 1,
            "uptime": 0.0,
            "average_latency": None,
            "median_latency": None,
            "p99_latency": None,
        },
    ]


def test_latencies_are_rounded_half_up_to_microseconds(ask):
    overall = ask("cust_7", from_date="2024-09-14").get_json()["overall"]
    names = ("average_latency", "median_latency", "p99_latency")
    assert [overall[name] for name in names] == [0.100001] * 3


def test_a_day_is_one_of_utc_and_the_last_one_is_included(ask):
    def total(**days):
        return ask("cust_5", **days).get_json()["overall"]["total_requests"]

    assert total(from_date="2024-09-14", to_date="2024-09-14") == 2
    assert total(from_date="2024-09-15", to_date="2024-09-15") == 4
    assert total(from_date="2024-09-15") == 5


def test_without_a_last_day_it_is_today(ask):
    before = dt.datetime.now(dt.UTC).date()
    answer = ask("cust_5", from_date="2024-09-14").get_json()
    after = dt.datetime.now(dt.UTC).date()
    assert answer["to_date"] in {before.isoformat(), after.isoformat()}
    assert (answer["customer_id"], answer["workspace_id"]) == ("cust_5", WORKSPACE)


def test_days_without_requests_of_a_known_customer_are_no_error(ask):
    response = ask("cust_5", from_date="2024-09-16", to_date="2024-09-16")
    assert response.status_code == 200
    overall = response.get_json()["overall"]
    assert (overall["total_requests"], overall["uptime"]) == (0, None)
    assert response.get_json()["by_day"] == []


@pytest.mark.parametrize("customer", ["nobody", "only_logs", "' OR 1", "cust_5 ", "Kundé"])
def test_nobody_is_not_found_by_name(ask, customer):
    response = ask(customer, from_date="2024-09-14")
    assert response.status_code == 404
    assert customer in response.get_json()["error"]["reason"]


def test_another_workspaces_customer_is_not_found(ask):
    asked = {"from_date": "2024-09-14", "workspace_id": "customers-test-third"}
    assert ask("cust_5", **asked).status_code == 404
    other = ask("cust_5", **asked | {"workspace_id": "customers-test-other"}).get_json()
    assert other["overall"]["total_requests"] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"from_date": None},
        {"from_date": ""},
        {"from_date": "yesterday"},
        {"from_date": "2024-02-30"},
        {"from_date": "2024-9-14"},
        {"from_date": "20240914"},
        {"from_date": "2024-W37-6"},
        {"from_date": "1969-12-31"},
        {"from_date": "9999-12-31"},
        {"to_date": "9999-12-31"},
        {"to_date": "2024-09-13"},
        {"to_date": "14.09.2024"},
        {"until": "2024-09-14"},
    ],
)
def test_a_bad_date_is_named(ask, wrong):
    parameters = {"from_date": "2024-09-14"} | wrong
    response = ask("cust_5", **{k: v for k, v in parameters.items() if v is not None})
    assert response.status_code == 422
    assert list(response.get_json()["error"]["fields"]) == list(wrong)


def test_a_future_date_says_which_day_it_is(ask):
    response = ask("cust_5", from_date="9999-12-31")
    [reason] = response.get_json()["error"]["fields"]["from_date"]
    assert "not be after today" in reason


def half_up(value, digits):
    return Decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


requests = st.lists(
    st.tuples(st.integers(0, 2), st.integers(100, 599), st.integers(0, 10**7)),
    min_size=1,
    max_size=12,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests=requests)
def test_any_requests_have_the_latencies_that_pythons_statistics_finds(
    clickhouse, engine_settings, put_logs, requests
):
    workspace = f"w{uuid.uuid4().hex}"
    midnight = dt.datetime(2024, 3, 1, tzinfo=dt.UTC)
    rows = []
    for day, status, microseconds in requests:
        at = midnight + dt.timedelta(days=day)
        rows.append(row(at, "c", status, seconds_of(microseconds), workspace))
    put_logs(clickhouse, rows)

    first, second, third = (midnight.date() + dt.timedelta(days=day) for day in range(3))
    found = customer_stats(clickhouse, engine_settings, workspace, "c", (first, third))

    check_figures(found.overall, requests)
    for day, date in enumerate((first, second, third)):
        of_day = [request for request in requests if request[0] == day]
        if of_day:
            check_figures(found.by_day[date], of_day)
        else:
            assert date not in found.by_day


def seconds_of(microseconds):
    return Decimal(microseconds).scaleb(-6)


def check_figures(figures, requests):
    seconds = [seconds_of(microseconds) for _, _, microseconds in requests]
    failed = sum(status >= 400 for _, status, _ in requests)
    assert (figures.total, figures.failed) == (len(requests), failed)

    successful = len(requests) - failed
    assert figures.uptime == half_up(Decimal(100 * successful) / len(requests), 2)
    assert figures.average_latency == half_up(statistics.mean(seconds), 6)
    assert figures.median_latency == half_up(statistics.median(seconds), 6)

    p99 = seconds[0]
    if len(seconds) > 1:
        p99 = statistics.quantiles(seconds, n=100, method="inclusive")[98]
    # Rounded to microseconds, with some tolerance.
    assert abs(figures.p99_latency - p99) <= Decimal("0.0000006")


durations = st.lists(
    st.sampled_from([0, 1, 999_999_999_999_999_999, 900_000_000 * 10**9])
    | st.integers(0, 10**18 - 1),
    min_size=1,
    max_size=30,
)
MANY_LONG = [900_000_000 * 10**9] * 11


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@example(MANY_LONG)
@given(durations)
def test_no_sum_of_durations_overflows(engine_settings, clickhouse, put_logs, nanoseconds):
    workspace = f"customers-{uuid.uuid4().hex}"
    noon = dt.datetime(2024, 9, 14, 12, tzinfo=dt.UTC)
    put_logs(
        clickhouse,
        [row(noon, "c", 200, seconds_text(ns), workspace) for ns in nanoseconds],
    )
    found = customer_stats(clickhouse, engine_settings, workspace, "c", (noon.date(), noon.date()))
    average = Decimal(sum(nanoseconds)) / len(nanoseconds) / 10**9

    assert found.overall.average_latency == average.quantize(Decimal("0.000001"), ROUND_HALF_UP)
    assert found.by_day[noon.date()] == found.overall


def seconds_text(ns):
    return f"{ns // 10**9}.{ns % 10**9:09}"


@pytest.mark.parametrize("duration", ["1e28", "-1e28", "99999999999999999999999999999", "1e400"])
def test_a_duration_that_is_out_of_range_is_left_out(
    engine_settings, clickhouse, put_logs, duration
):
    workspace = f"customers-{uuid.uuid4().hex}"
    noon = dt.datetime(2024, 9, 14, 12, tzinfo=dt.UTC)
    put_logs(
        clickhouse, [row(noon, "c", 200, duration, workspace), row(noon, "c", 200, 2, workspace)]
    )
    found = customer_stats(clickhouse, engine_settings, workspace, "c", (noon.date(), noon.date()))

    assert (found.overall.total, found.overall.average_latency) == (2, 2)
