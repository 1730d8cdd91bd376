"""Rules of redaction over REST and on the command line."""

import json
import time

import pytest

from cli.redaction import run
from ledger.ledger import Ledger
from ledger.redaction import EVERYWHERE, RedactionBook
from storage.clickhouse.client import Clickhouse
from tests.blocks import checked_by
from tests.integration.tables import truncate, whole
from tests.integration.web.conftest import log_rows
from web.app import create_app

pytestmark = pytest.mark.integration

CARD = "4111 1111 1111 1111"
MASK_CARDS = {"action": "mask", "preset": "card"}
DROP_USERS = {"action": "drop", "attribute": "user.*"}


@pytest.fixture
def settings(engine_settings, valkey, tmp_path):
    return engine_settings.model_copy(
        update={"redis_url": valkey.url, "secret_key": "s" * 32, "data_dir": tmp_path}
    )


@pytest.fixture
def api(settings):
    connection, ledger = Clickhouse(settings), Ledger(settings)
    truncate(connection, "shared")
    truncate(connection, "audit")
    yield create_app(settings, connection, ledger).test_client()
    truncate(connection, "shared")
    connection.close()
    ledger.close()


def put(api, rules, **others):
    return api.put("/api/v1/redaction", json={"rules": rules, **others})


def test_rules_are_those_that_were_put(api):
    assert api.get("/api/v1/redaction").json["rules"] == []
    assert put(api, [MASK_CARDS, DROP_USERS], workspace_id="acme").status_code == 200
    assert put(api, [MASK_CARDS], everywhere=True).json["everywhere"] == [MASK_CARDS]

    answer = api.get("/api/v1/redaction?workspace_id=acme").json
    assert (answer["rules"], answer["everywhere"]) == ([MASK_CARDS, DROP_USERS], [MASK_CARDS])
    assert api.get("/api/v1/redaction?workspace_id=beta").json["rules"] == []
    assert put(api, [], workspace_id="acme").json["rules"] == []


@pytest.mark.parametrize(
    ("rule", "field", "reason"),
    [
        ({"action": "mask", "pattern": "("}, "rules.1", "not a regular expression"),
        ({"action": "mask", "pattern": "x*"}, "rules.1", "empty text"),
        ({"action": "mask"}, "rules.1", "exactly one"),
        ({"action": "burn", "preset": "card"}, "rules.1.action", "Must be one of"),
        ({"action": "mask", "preset": "iban"}, "rules.1.preset", "Must be one of"),
        ({"action": "mask", "regex": "x"}, "rules.1.regex", "Unknown"),
        ({"preset": "card"}, "rules.1.action", "Missing"),
    ],
)
@pytest.mark.parametrize(("method", "path"), [("PUT", ""), ("POST", "/dry-run")])
def test_a_wrong_rule_is_named_with_its_place_and_the_reason(
    *, api, method, path, rule, field, reason
):
    body = {"rules": [MASK_CARDS, rule]}
    answer = api.open(f"/api/v1/redaction{path}", method=method, json=body)
    assert answer.status_code == 422
    [text] = answer.json["error"]["fields"][field]
    assert reason in text


def test_a_dry_run_shows_what_rules_would_change_in_the_last_hour(api, clickhouse, put_logs):
    now = time.time_ns()
    rows = log_rows(1, 30)
    for number, row in enumerate(rows):
        row |= {"WorkspaceId": "trial", "Timestamp": now - (number + 1) * 10**9}
        row |= {"Body": f"{number} with {CARD}" if number < 25 else "without"}
    rows[0]["Timestamp"] -= 3600 * 10**9
    put_logs(clickhouse, rows)

    answer = api.post(
        "/api/v1/redaction/dry-run",
        json={"workspace_id": "trial", "rules": [MASK_CARDS, DROP_USERS]},
    ).json

    assert (answer["records"], answer["changed"]) == (29, 29)
    assert answer["changed_by_rule"] == [24, 29]
    assert len(answer["examples"]) == 20
    newest = answer["examples"][0]
    assert newest["before"]["body"] == f"1 with {CARD}"
    assert newest["after"]["body"] == "1 with ***"
    assert "user.id" in newest["before"]["log_attributes"]
    assert "user.id" not in newest["after"]["log_attributes"]
    assert "resource_attributes" not in newest["before"]
    assert api.get("/api/v1/redaction?workspace_id=trial").json["rules"] == []
    clickhouse.query(
        f"ALTER TABLE {whole(clickhouse, 'otel_logs')} DELETE WHERE WorkspaceId = 'trial'"
    )


def test_changes_and_dry_runs_are_in_the_audit_log(api):
    put(api, [MASK_CARDS], workspace_id="acme")
    api.post("/api/v1/redaction/dry-run", json={"workspace_id": "acme", "rules": []})
    acts = api.get("/api/v1/audit?workspace_id=acme").json["acts"]
    found = {act["action"]: act["details"] for act in acts}
    assert found["redaction.change_rules"]["rules"] == [MASK_CARDS]
    assert "redaction.dry_run" in found


def test_the_command_sets_and_shows_rules(api, settings, tmp_path, capsys):
    file = tmp_path / "rules.json"
    file.write_text(json.dumps([MASK_CARDS, DROP_USERS]))
    assert run(settings, ["set", str(file), "--workspace", "acme"]) == 0
    capsys.readouterr()
    assert run(settings, ["show", "--workspace", "acme"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == [MASK_CARDS, DROP_USERS]
    assert shown == api.get("/api/v1/redaction?workspace_id=acme").json["rules"]
    [act] = api.get("/api/v1/audit?workspace_id=acme").json["acts"]
    assert (act["action"], act["principal"]) == ("redaction.change_rules", "command line")
    assert len(act["details"]["rules"]) == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "rules.json"),
        ('[{"action": "mask", "regex": "x"}]', "unknown field `regex`"),
        ('[{"action": "mask", "preset": "iban"}]', "rules.0: preset must be one of"),
    ],
)
def test_the_command_says_what_is_wrong_with_a_file(settings, tmp_path, capsys, content, reason):
    file = tmp_path / "rules.json"
    file.write_text(content)
    assert run(settings, ["set", str(file)]) == 1
    assert reason in capsys.readouterr().err


def test_the_documented_rules_can_be_set(api, settings, tmp_path):
    [block] = checked_by("test_the_documented_rules_can_be_set")
    file = tmp_path / "rules.json"
    file.write_text(block.text)
    assert run(settings, ["set", str(file), "--workspace", "acme"]) == 0
    found = api.get("/api/v1/redaction?workspace_id=acme").json["rules"]
    assert found == json.loads(block.text)
    assert put(api, found).status_code == 200


def test_the_commands_default_is_all_workspaces(api, settings, tmp_path, clickhouse):
    file = tmp_path / "rules.json"
    file.write_text(json.dumps([MASK_CARDS]))
    assert run(settings, ["set", str(file)]) == 0
    ledger = Ledger(settings)
    assert RedactionBook(ledger.broker, clickhouse).own(EVERYWHERE)[0].preset == "card"
    ledger.close()
    assert api.get("/api/v1/redaction?everywhere=true").json["rules"] == []
