"""The list of customers, and its links to the statistics of each."""

import datetime as dt

import pytest

from storage.clickhouse.client import Clickhouse
from tests.integration.web.test_customers import row

pytestmark = pytest.mark.integration

WORKSPACE = "customer-list"
DAY = dt.datetime(2024, 9, 14, 12, tzinfo=dt.UTC)
RANGE = {"from_date": "2024-09-14", "to_date": "2024-09-15", "workspace_id": WORKSPACE}


def on(day, customer, status, duration="0.1", workspace=WORKSPACE):
    return row(day, customer, status, duration, workspace)


@pytest.fixture(scope="module")
def _stored(engine_settings, put_logs):
    clickhouse = Clickhouse(engine_settings)
    hour, day = dt.timedelta(hours=1), dt.timedelta(days=1)
    by_resource = on(DAY, "", 200, None)
    del by_resource["LogAttributes"]["customer.id"]
    by_resource["ResourceAttributes"] = {"customer.id": "cust/2 ü"}
    put_logs(
        clickhouse,
        [
            on(DAY, "cust_1", 200),
            on(DAY + 30 * hour, "cust_1", 503),
            on(DAY + hour, "cust_1", 404, None),
            by_resource,
            # No requests: without a status, or with one that is no number.
            on(DAY, "cust_3", None),
            on(DAY, "cust_3", "none"),
            # Of no customer; of another day; of another workspace; of today.
            on(DAY, "", 200),
            on(DAY - day, "cust_4", 200),
            on(DAY, "cust_5", 200, workspace="customer-list-other"),
            on(dt.datetime.now(dt.UTC), "cust_now", 200),
        ],
    )
    clickhouse.close()


@pytest.mark.usefixtures("_stored")
def test_customers_with_the_most_requests_come_first(client):
    answer = client.get("/api/v1/customers", query_string=RANGE).get_json()
    names = ("customer_id", "total_requests", "failed_requests", "last_seen")
    found = [tuple(each[name] for name in names) for each in answer["customers"]]

    assert found == [
        ("cust_1", 3, 2, "2024-09-15T18:00:00.000000000Z"),
        ("cust/2 ü", 1, 0, "2024-09-14T12:00:00.000000000Z"),
    ]
    assert answer["total_count"] == 2
    assert (answer["from_date"], answer["to_date"]) == ("2024-09-14", "2024-09-15")


@pytest.mark.usefixtures("_stored")
def test_each_customer_leads_to_statistics_of_the_same_requests(client):
    answer = client.get("/api/v1/customers", query_string=RANGE).get_json()
    for each in answer["customers"]:
        overall = client.get(each["stats"]).get_json()["overall"]
        for name in ("total_requests", "failed_requests"):
            assert overall[name] == each[name]


@pytest.mark.usefixtures("_stored")
def test_beyond_the_limit_customers_are_counted(client):
    answer = client.get("/api/v1/customers", query_string=RANGE | {"limit": 1}).get_json()
    assert [each["customer_id"] for each in answer["customers"]] == ["cust_1"]
    assert answer["total_count"] == 2


@pytest.mark.usefixtures("_stored")
def test_without_days_the_last_week_counts_and_without_customers_nothing_is_wrong(client):
    answer = client.get(f"/api/v1/customers?workspace_id={WORKSPACE}").get_json()
    assert [each["customer_id"] for each in answer["customers"]] == ["cust_now"]

    days = [dt.date.fromisoformat(answer[name]) for name in ("from_date", "to_date")]
    assert days[1] - days[0] == dt.timedelta(6)

    empty = client.get("/api/v1/customers?workspace_id=nobodys")
    assert (empty.status_code, empty.get_json()["customers"]) == (200, [])
    assert empty.get_json()["total_count"] == 0


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"from_date": "2024-09-15", "to_date": "2024-09-14"}, "to_date"),
        ({"from_date": "yesterday"}, "from_date"),
        ({"limit": 0}, "limit"),
        ({"customer": "x"}, "customer"),
    ],
)
def test_what_is_wrong_is_named(client, given, field):
    answer = client.get("/api/v1/customers", query_string=given)
    assert answer.status_code == 422
    assert field in answer.get_json()["error"]["fields"]
