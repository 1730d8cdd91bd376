"""ClickHouse away for minutes: the doors accept until the ledger is full, then push back."""

import time

import pytest

from tests.chaos.load import Shape

pytestmark = pytest.mark.chaos


def test_through_an_outage_of_clickhouse_the_doors_take_what_the_ledger_holds_then_push_back(
    make_system, scenario_on, report, wait_until, long_run
):
    """Prints how quickly the doors answered before, and how long the backlog took to drain."""
    seconds, mebibytes = (300, 24) if long_run else (8, 2)
    system = make_system(LEDGER_MAX_BYTES=str(mebibytes * 1024 * 1024))
    scenario = scenario_on(system)

    with scenario.under_load(Shape(records=25), pause=0.05, deadline=10.0) as load:
        scenario.wait_for_answers(20)

        code, _ = system.processes["clickhouse"].terminate()
        assert code == 0
        end = time.monotonic() + seconds
        wait_until(lambda: load.pushed_back, seconds + 60)
        taken, p50, p99 = load.acknowledged, load.percentile(0.5), load.percentile(0.99)
        time.sleep(max(0.0, end - time.monotonic()))
        refused = load.pushed_back
        waiting = system.ledger.waiting.stats()

        system.processes["clickhouse"].start()
        back = time.monotonic()

    assert system.wait_until_drained(120)
    drained = time.monotonic() - back
    report(
        f"outage of {seconds} s: {taken} requests taken with p50 {1000 * p50:.1f} ms, "
        f"p99 {1000 * p99:.1f} ms, {refused} pushed back; {waiting.waiting_records} records "
        f"({waiting.waiting_bytes} bytes) waited, stored {drained:.1f} s after its return"
    )
    assert waiting.waiting_bytes <= system.settings.ledger_max_bytes
    assert scenario.check(120).dead == 0
