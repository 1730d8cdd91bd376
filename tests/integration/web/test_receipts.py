"""Receipts in the API."""

import pytest

from ledger.ledger import Ledger
from tests.integration.made_logs import broken_entry, entry
from web.app import create_app

pytestmark = pytest.mark.integration


@pytest.fixture
def ledger(valkey, engine_settings):
    opened = Ledger(engine_settings.model_copy(update={"redis_url": valkey.url}))
    yield opened
    opened.close()


@pytest.fixture
def status(engine_settings, ledger):
    """Look a receipt up: the HTTP status and the answer."""
    client = create_app(engine_settings, ledger=ledger).test_client()

    def look(receipt):
        answer = client.get(f"/api/v1/receipts/{receipt}")
        return answer.status_code, answer.json

    return look


def test_a_receipt_counts_what_waits_and_what_is_dead(status, ledger):
    waiting, broken = entry(["one", "two"]), broken_entry()
    ledger.accept([broken])
    batch = ledger.seal()
    ledger.dead_letter(batch, batch.chunk_ids[0], "the reason quotes a record")
    ledger.accept([waiting])

    code, found = status(waiting.chunk.header.id)
    assert (code, found["status"], found["records"], found["queued"]) == (200, "queued", 2, 2)
    code, found = status(broken.chunk.header.id)
    assert (code, found["status"], found["records"], found["dead"]) == (200, "dead", 3, 3)
    assert "quotes" not in str(found)


def test_an_unknown_receipt_is_not_found(status):
    code, found = status("no-such-receipt")
    assert code == 404
    assert "no such receipt" in found["error"]["reason"]
