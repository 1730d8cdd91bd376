"""Usage over REST: of whom, of which days, and for whom to see."""

import csv
import datetime as dt
import io

import pytest

from access.store import Grant
from ledger.usage import UsageCounters, today
from tests.integration.tables import truncate
from web.app import create_app
from web.http.resources import current_resources

pytestmark = pytest.mark.integration

TENANTS = [("acme", "web"), ("acme", "app"), ("beta", "web")]


@pytest.fixture(scope="module")
def settings(migrated, shared_valkey, tmp_path_factory):
    changes = {
        "redis_url": shared_valkey.url,
        "auth": "keys",
        "secret_key": "s" * 32,
        "data_dir": tmp_path_factory.mktemp("usage"),
    }
    return migrated.model_copy(update=changes)


@pytest.fixture(scope="module")
def app(settings):
    made = create_app(settings)
    yield made
    with made.app_context():
        resources = current_resources()
    resources.access.stop()
    resources.clickhouse.close()
    resources.ledger.close()


@pytest.fixture(scope="module")
def resources(app):
    with app.app_context():
        return current_resources()


@pytest.fixture(scope="module")
def keys(resources):
    grants = {
        "all": Grant(("read",)),
        "acme": Grant(("read",), workspace_id="acme"),
        "acme/web": Grant(("read",), workspace_id="acme", client_id="web"),
        "sender": Grant(("ingest",), workspace_id="acme"),
    }
    made = {name: resources.keys.create(grant, "tests")[0] for name, grant in grants.items()}
    resources.access.refresh()
    return made


@pytest.fixture
def counters(resources):
    """Empty counters and an empty table."""
    truncate(resources.clickhouse, "usage")
    with resources.ledger.broker.reading() as client:
        client.delete("sheaf:usage", "sheaf:usage_moving")
    return UsageCounters(resources.ledger.broker)


@pytest.fixture(params=["counted", "moved", "some of it moved"])
def usage(request, counters, resources):
    """Usage of three tenants, today and yesterday, wherever it is kept."""
    for number, (workspace, client) in enumerate(TENANTS, 1):
        for day in (today(), today() - 1):
            about = f"{day} {workspace} {client} logs"
            counts = {f"{about} stored records": number, f"{about} stored bytes": 10 * number}
            counts |= {f"{about} too_large requests": 1}
            counters.add(counts, f"{request.node.name} {about}")
        if request.param == "some of it moved" and number == 2:
            counters.move(resources.clickhouse)
    if request.param == "moved":
        counters.move(resources.clickhouse)


@pytest.fixture
def ask(app, keys):
    def get(key, **arguments):
        headers = {"Authorization": f"Bearer {keys[key]}"}
        return app.test_client().get("/api/v1/usage", query_string=arguments, headers=headers)

    return get


def tenants(answer):
    assert answer.status_code == 200, answer.text
    return sorted({(row["workspace_id"], row["client_id"]) for row in answer.json["usage"]})


def day(ago=0):
    return (dt.datetime.now(dt.UTC).date() - dt.timedelta(days=ago)).isoformat()


@pytest.mark.usefixtures("usage")
def test_usage_has_a_row_for_each_day_tenant_signal_and_outcome(ask):
    rows = ask("all").json["usage"]
    assert len(rows) == 3 * 2 * 2
    about = {"workspace_id": "acme", "client_id": "app", "signal": "logs", "day": day()}
    of_app = [row for row in rows if about.items() <= row.items()]
    assert of_app == [
        about | {"outcome": "stored", "requests": 0, "records": 2, "bytes": 20},
        about | {"outcome": "too_large", "requests": 1, "records": 0, "bytes": 0},
    ]


@pytest.mark.usefixtures("usage")
def test_a_key_sees_the_usage_of_its_own_workspace_and_client_only(ask):
    assert tenants(ask("all")) == sorted(TENANTS)
    assert tenants(ask("all", workspace_id="beta")) == [("beta", "web")]
    assert tenants(ask("acme")) == [("acme", "app"), ("acme", "web")]
    assert tenants(ask("acme", client_id="app")) == [("acme", "app")]
    assert tenants(ask("acme/web")) == [("acme", "web")]
    for format_ in ("json", "csv"):
        for key, arguments in (
            ("acme", {"workspace_id": "beta"}),
            ("acme/web", {"workspace_id": "beta"}),
            ("acme/web", {"client_id": "app"}),
        ):
            answer = ask(key, format=format_, **arguments)
            assert answer.status_code == 403, answer.text
            assert "bound to" in answer.json["error"]["reason"]
        assert ask("sender", format=format_).status_code == 403
    assert "beta" not in ask("acme", format="csv").text
    assert "app" not in ask("acme/web", format="csv").text


@pytest.mark.usefixtures("usage")
def test_the_file_has_the_rows_of_the_answer(ask):
    answer = ask("all", format="csv")
    assert answer.content_type == "text/csv; charset=utf-8"
    assert 'filename="usage.csv"' in answer.headers["Content-Disposition"]
    listed = list(csv.DictReader(io.StringIO(answer.text)))
    rows = ask("all").json["usage"]
    assert listed == [{name: str(value) for name, value in row.items()} for row in rows]
    assert list(listed[0])[:5] == ["day", "workspace_id", "client_id", "signal", "outcome"]


@pytest.mark.usefixtures("usage")
def test_usage_of_some_days_is_that_of_the_first_to_the_last(ask):
    for asked, days in (
        ({"from_date": day()}, {day()}),
        ({"to_date": day(1)}, {day(1)}),
        ({"from_date": day(1), "to_date": day()}, {day(), day(1)}),
        ({"from_date": day(9), "to_date": day(2)}, set()),
        ({"from_date": "now-1d", "to_date": "now"}, {day(), day(1)}),
    ):
        assert {row["day"] for row in ask("all", **asked).json["usage"]} == days


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"from_date": "2026-13-01"}, "from_date"),
        ({"to_date": "yesterday"}, "to_date"),
        ({"from_date": "2026-01-02", "to_date": "2026-01-01"}, "from_date"),
        ({"from_date": "2024-01-01", "to_date": "2026-01-01"}, "from_date"),
        ({"format": "xml"}, "format"),
        ({"workspace_id": "a b"}, "workspace_id"),
        ({"since": "2026-01-01"}, "since"),
    ],
)
def test_a_wrong_argument_is_named(ask, asked, field):
    answer = ask("all", **asked)
    assert answer.status_code == 422
    assert answer.json["error"]["fields"][field]


@pytest.mark.parametrize("day_of", ["1970-01-01", "2105-12-31"])
@pytest.mark.parametrize("names", [("from_date", "to_date"), ("to_date",)])
def test_the_first_and_the_last_day_that_there_can_be_are_empty_not_an_error(ask, day_of, names):
    answer = ask("all", **dict.fromkeys(names, day_of))
    assert (answer.status_code, answer.json.get("usage")) == (200, []), answer.text


@pytest.mark.parametrize("day_of", ["0001-01-01", "1969-12-31", "2106-01-01", "9999-12-31"])
@pytest.mark.parametrize("name", ["from_date", "to_date"])
def test_a_day_that_there_cannot_be_is_refused_and_named(ask, day_of, name):
    answer = ask("all", **{name: day_of})
    assert answer.status_code == 422
    assert "1970-01-01" in answer.json["error"]["fields"][name][0]
