"""One system that all scenarios share; each first repairs what the one before has broken."""

import os
import secrets
from pathlib import Path

import pytest
from celery import Celery
from pytest_celery import CeleryBrokerCluster, CeleryWorkerCluster

from tests.celery_nodes import BrokerNode, ProcessNode, WorkerNode
from tests.chaos.load import POISON
from tests.chaos.scenario import Scenario
from tests.chaos.system import System

_FOLDER = Path(__file__).parent
_SHOWN_LINES = 60

_SHORT = {
    "test_a_worker_that_is_killed_while_it_drains_loses_and_doubles_nothing",
    "test_a_broker_that_is_killed_and_comes_back_loses_and_doubles_nothing",
    "test_a_clickhouse_that_is_killed_while_it_inserts_loses_and_doubles_nothing",
    "test_an_insert_whose_answer_is_lost_is_stored_once[cut]",
    "test_a_commit_whose_answer_is_lost_is_stored_once[cut]",
    "test_a_broker_that_is_away_is_gone_around_until_it_is_back",
    "test_a_client_that_repeats_everything_is_stored_once",
    "test_after_a_stall_of_the_broker_no_lease_has_to_run_out",
    "test_through_a_stall_of_the_broker_the_live_tail_shows_or_counts_every_record",
    "test_poison_becomes_dead_letters_alone_and_is_stored_once_when_replayed",
    "test_a_chunk_that_cannot_be_decoded_becomes_a_dead_letter_alone[not zstd]",
    "test_what_a_full_broker_did_not_take_is_known_when_it_has_room[stop]",
    "test_what_was_stored_while_the_broker_was_away_is_known_when_it_is_back[kill]",
    "test_a_door_that_tells_nobody_is_found_out",
    "test_a_key_holds_around_the_broker_for_records_without_a_time[full]",
    "test_behind_proxies_every_process_restarts_and_no_client_notices",
    "test_two_versions_side_by_side_lose_and_double_nothing",
    "test_the_live_tail_goes_through_a_proxy[nginx]",
    "test_the_live_tail_goes_through_a_proxy[haproxy]",
    "test_what_is_too_large_is_refused_for_good_behind_a_proxy[nginx]",
    "test_what_is_too_large_is_refused_for_good_behind_a_proxy[haproxy]",
    "test_a_receipt_tells_of_every_part_that_was_dropped",
    "test_a_receipt_that_forgets_what_was_dropped_is_found_out",
    "test_usage_that_counts_too_much_or_too_little_is_found_out",
    "test_without_the_look_before_a_further_attempt_the_oracle_reports_doubled_records",
    "test_two_brokers_that_are_killed_in_turn_lose_and_double_nothing",
    "test_a_process_that_is_asked_to_stop_under_load_stops[worker]",
    "test_another_signal_comes_through_every_kind_of_fault[traces]",
    "test_another_signal_comes_through_every_kind_of_fault[metrics]",
    "test_push_back_comes_before_a_store_is_full_and_ends_by_itself[ledger and AOF]",
    "test_push_back_comes_before_a_store_is_full_and_ends_by_itself[parts]",
    "test_a_disk_without_a_byte_left_recovers_without_a_hand",
    "test_a_backup_under_load_loses_and_doubles_nothing_when_all_else_is_wiped[0]",
    "test_the_grpc_door_answers_malformed_requests_as_documented",
    "test_the_http_door_answers_malformed_requests_as_documented",
}
"""What runs if CHAOS_LONG is not set. With 0 every scenario runs briefly, with 1 at length."""


def pytest_collection_modifyitems(config, items):
    if os.environ.get("CHAOS_LONG"):
        return
    left_out = [item for item in items if _FOLDER in item.path.parents and item.name not in _SHORT]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Show what each system's processes wrote with the report of a test that failed."""
    report = yield
    if report.failed:
        for system in System.running:
            for name, process in system.processes.items():
                lines = process.log.splitlines()[-_SHOWN_LINES:]
                state = "runs" if process.alive else "has ended"
                report.sections.append((f"{name} {state}", "\n".join(lines)))
    return report


@pytest.fixture(scope="session")
def seed():
    """CHAOS_SEED, or a new seed; it is printed, so that a run can be repeated."""
    return int(os.environ.get("CHAOS_SEED") or secrets.randbits(31))


@pytest.fixture(scope="session")
def long_run():
    """Whether scenarios run at length: CHAOS_LONG=1."""
    return os.environ.get("CHAOS_LONG", "") not in {"", "0"}


@pytest.fixture(scope="package")
def shared_system(tmp_path_factory, free_port, wait_until):
    system = System(tmp_path_factory.mktemp("chaos"), free_port, wait_until)
    try:
        system.start()
        yield system
    finally:
        system.stop()


@pytest.fixture
def system(shared_system):
    """The system in order: every process runs, no proxy disturbs, no chunk waits."""
    shared_system.heal()
    shared_system.broker.config_set("maxmemory", 0)
    assert shared_system.wait_until_drained(60), "the scenario before left chunks behind"
    yield shared_system
    for proxy in shared_system.proxies.values():
        proxy.heal()


@pytest.fixture
def celery_broker_cluster(system):
    """pytest-celery's brokers: the system's Valkey."""
    return CeleryBrokerCluster(BrokerNode(system.container("valkey")))


@pytest.fixture
def celery_backend_cluster():
    """Sheaf keeps no results."""
    return


@pytest.fixture
def celery_worker_cluster(system):
    """pytest-celery's workers: the system's worker."""
    return CeleryWorkerCluster(WorkerNode(system.container("worker"), None))


@pytest.fixture
def celery_setup_app(system):
    """A client of the system's broker."""
    made = Celery("client", broker=system.settings.broker_url)
    yield made
    made.close()


@pytest.fixture
def celery_beat(system):
    """The system's beat as a node."""
    return ProcessNode(system.container("beat"))


@pytest.fixture
def report(request):
    """Print a line after the run, even if the test passes."""
    return lambda line: request.node.user_properties.append(("said", line))


@pytest.fixture
def make_system(tmp_path_factory, free_port, wait_until):
    """Start a separate system with other settings."""
    made = []

    def make(**changes):
        system = System(tmp_path_factory.mktemp("chaos"), free_port, wait_until, **changes)
        made.append(system)
        system.start()
        return system

    yield make
    for system in made:
        system.stop()


@pytest.fixture
def scenario_on(request, seed, report, wait_until):
    """Make a scenario, named after its test, on a system."""
    name = request.node.name.removeprefix("test_")
    return lambda system: Scenario(name, seed, system, report, wait_until)


@pytest.fixture
def scenario(scenario_on, system):
    """A scenario on the shared system."""
    return scenario_on(system)


@pytest.fixture
def constraint(system):
    """Make ClickHouse refuse log records whose severity begins with POISON.

    Call the fixture to lift the constraint before the test ends.
    """
    system.clickhouse.query(
        "ALTER TABLE otel_logs ADD CONSTRAINT IF NOT EXISTS no_poison "
        f"CHECK NOT startsWith(SeverityText, '{POISON}')"
    )

    def drop():
        system.clickhouse.query("ALTER TABLE otel_logs DROP CONSTRAINT IF EXISTS no_poison")

    yield drop
    drop()
