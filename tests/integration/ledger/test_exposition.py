import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from config import metrics
from ledger.exposition import exposition
from ledger.ledger import Ledger
from ledger.space import Space
from tests.integration.made_logs import broken_entry, entry

pytestmark = pytest.mark.integration


def figures(ledger):
    """Values by name and signal."""
    families = text_string_to_metric_families(exposition(ledger, Space()).decode())
    return {
        (sample.name, sample.labels.get("signal", "")): sample.value
        for family in families
        for sample in family.samples
        if sample.name.startswith("sheaf_")
    }


def test_what_waits_and_what_was_counted_is_exposed(ledger):
    broken = broken_entry()
    ledger.accept([entry(["one", "two"]), broken])
    ledger.dead_letter(ledger.seal(), broken.chunk.header.id, "cannot be decoded")
    found = figures(ledger)

    assert found["sheaf_broker_up", ""] == 1
    assert found["sheaf_accepted_records_total", "logs"] == 5
    assert found["sheaf_dead_records_total", "logs"] == 3
    assert found["sheaf_dead_chunks", ""] == 1
    assert found["sheaf_waiting_records", ""] == 2
    assert found["sheaf_stored_batches_total", ""] == 0


def test_every_total_that_the_ledger_counts_is_declared(project_root):
    counted = set()
    for script in (project_root / "ledger" / "scripts").glob("*.lua"):
        counted.update(re.findall(r"keys\.totals, '(\w+)", script.read_text(encoding="utf-8")))
    assert counted == set(metrics.TOTALS)


def test_without_the_broker_only_its_absence_is_exposed(make_settings, free_port):
    away = Ledger(make_settings(redis_url=f"redis://127.0.0.1:{free_port()}/0"))
    assert figures(away) == {("sheaf_broker_up", ""): 0}
    away.close()
