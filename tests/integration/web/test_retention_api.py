import pytest

from ledger.ledger import Ledger
from ledger.retention import RetentionBook
from web.app import create_app

pytestmark = pytest.mark.integration


@pytest.fixture
def ledger(engine_settings, valkey):
    settings = engine_settings.model_copy(
        update={"redis_url": valkey.url, "retention_days": 30, "trace_retention_hours": 72}
    )
    made = Ledger(settings)
    yield made, settings
    made.close()


@pytest.fixture
def api(ledger, clickhouse):
    made, settings = ledger
    return create_app(settings, clickhouse, made).test_client()


def test_a_workspace_that_says_nothing_keeps_what_the_settings_say(api):
    answered = api.get("/api/v1/retention").json
    assert answered["retention"] == {"logs": 30, "traces": 4, "metrics": 30}
    assert answered["own"] == {}


def test_a_change_holds_for_its_workspace_alone_and_can_be_taken_back(api, ledger):
    made, settings = ledger
    acme = {"X-Workspace-Id": "acme"}

    changed = api.put("/api/v1/retention", json={"logs": 7, "traces": 0}, headers=acme)
    assert changed.status_code == 200
    assert changed.json["retention"] == {"logs": 7, "traces": 0, "metrics": 30}
    assert api.get("/api/v1/retention", headers=acme).json["own"] == {"logs": 7, "traces": 0}
    assert api.get("/api/v1/retention").json["own"] == {}
    assert RetentionBook(settings, made.broker).days("acme")["logs"] == 7

    removed = api.put("/api/v1/retention", json={"logs": None}, headers=acme)
    assert removed.json["own"] == {"traces": 0}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "logs"),
        ({"logs": -1}, "logs"),
        ({"traces": 3651}, "traces"),
        ({"metrics": "x"}, "metrics"),
        ({"spans": 1}, "spans"),
    ],
)
def test_a_wrong_number_of_days_is_refused_and_named(api, body, field):
    answered = api.put("/api/v1/retention", json=body)
    assert answered.status_code == 422
    assert field in answered.json["error"]["fields"]
    assert api.get("/api/v1/retention").json["own"] == {}
