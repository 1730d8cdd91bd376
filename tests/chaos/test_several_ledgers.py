"""Two ledgers, whose brokers are killed under load."""

import pytest

from ledger.broker import BrokerError
from ledger.ledgers import open_ledgers
from tests.chaos import processes
from tests.chaos.load import Shape
from tests.chaos.processes import Process
from tests.chaos.system import System, broker_url, port_open

pytestmark = pytest.mark.chaos


class TwoLedgers(System):
    """A system whose second ledger is in the broker `second`."""

    stores = ("clickhouse", "valkey", "second")

    def make_processes(self, direct, valkey_port):
        self._second_port = self._free_port()
        # The same addresses for all: a ledger is known by its address.
        urls = f"{broker_url(valkey_port)},{broker_url(self._second_port)}"
        for settings in (self._door, self._worker):
            settings["REDIS_URL"] = urls
        self.settings = self.settings.model_copy(update={"redis_url": urls})
        command = processes.python("-m", "embedded.valkey")
        folder = self.folder / "second"
        folder.mkdir()
        environment = processes.environment(folder, VALKEY_PORT=str(self._second_port))
        second = Process("second", command, environment, self.folder)
        made = super().make_processes(direct, valkey_port)
        return {"clickhouse": made.pop("clickhouse"), "second": second} | made

    def __init__(self, folder, free_port, wait_until, **changes):
        self._free_port = free_port
        super().__init__(folder, free_port, wait_until, **changes)
        self.ledger.close()
        self.ledger = open_ledgers(self.settings)

    def mark(self, mark):
        """Let processes that start from now on see this mark at the second address."""
        for process in self.processes.values():
            process._environment["REDIS_URL"] = f"{self.settings.redis_url}{mark}"

    def door_with(self, mark):
        """One more gRPC door, with this mark at the second address; its port is given too."""
        port = self._free_port()
        settings = self._door | {
            "REDIS_URL": f"{self.settings.redis_url}{mark}",
            "OTEL_GRPC_PORT": str(port),
        }
        environment = processes.environment(self.folder, **settings)
        command = processes.python("-m", "ingest.doors.grpc.server")
        return Process("another", command, environment, self.folder), port

    def broker_answers(self):
        try:
            for each in self.ledger.all:
                each.ping()
        except BrokerError:
            return False
        return True


@pytest.fixture
def two_ledgers(request, tmp_path, free_port, wait_until):
    system = TwoLedgers(tmp_path, free_port, wait_until)
    system.mark(getattr(request, "param", ""))
    try:
        system.start()
        yield system
    finally:
        system.stop()


def on_both(scenario):
    """The scenario, with another name: its two workspaces have different ledgers."""
    of, base = scenario.system.ledger.of, scenario.name
    scenario.name = next(
        name for n in range(99) if of(f"ws-{(name := f'{base}{n}')}-0") is not of(f"ws-{name}-1")
    )
    return scenario


def test_two_brokers_that_are_killed_in_turn_lose_and_double_nothing(
    two_ledgers, scenario_on, long_run
):
    scenario = scenario_on(two_ledgers)
    of = two_ledgers.ledger.of
    base = scenario.name
    # The load has two workspaces: one for each ledger.
    scenario.name = next(
        name for n in range(99) if of(f"ws-{(name := f'{base}{n}')}-0") is not of(f"ws-{name}-1")
    )
    brokers = [two_ledgers.processes[name] for name in ("second", "valkey")]
    with scenario.under_load(seconds=60.0):
        for _ in range(8 if long_run else 1):
            for broker in brokers:
                scenario.pause(0.3, 1.0)
                broker.kill()
                scenario.pause(0.2, 1.5)
                broker.start()
                scenario.pause(0.3, 1.0)
    two_ledgers.wait_for_stores()

    scenario.check(120)
    for each in two_ledgers.ledger.all:
        assert each.waiting.stats().totals["stored_batches"] > 0


def test_while_the_main_broker_is_away_the_other_ledger_is_drained(
    two_ledgers, scenario_on, wait_until
):
    scenario = on_both(scenario_on(two_ledgers))
    second = two_ledgers.ledger.all[1].waiting
    with scenario.under_load(seconds=60.0):
        scenario.wait_for_answers(3)
        two_ledgers.processes["valkey"].kill()
        before = second.stats().totals.get("stored_batches", 0)
        scenario.wait_for_answers(10)
        wait_until(lambda: second.stats().totals.get("stored_batches", 0) > before + 1, 60)
        two_ledgers.processes["valkey"].start()
    scenario.check(120)


@pytest.mark.parametrize("two_ledgers", ["#closed"], indirect=True)
def test_a_ledger_is_added_and_removed_under_load_and_retries_reach_doors_of_both_steps(
    two_ledgers, scenario_on, wait_until
):
    scenario = on_both(scenario_on(two_ledgers))
    door, repeated = two_ledgers.processes["grpc"], 0
    with scenario.under_load(Shape(timeless=0.0), seconds=60.0, pause=0.3) as load:
        for mark in ("", "#closing", "#closed"):
            scenario.wait_for_answers(20)
            another, port = two_ledgers.door_with(mark)
            another.start()
            try:
                wait_until(lambda port=port: port_open(port), 60)
                repeated += load.repeat_answered(port)
                # What the new door answers comes to the old one again.
                fresh = [
                    load.make(tenant, f"{mark}-{n}") for n in range(9) for tenant in load.tenants
                ]
                load.send(fresh, port=port)
                wait_until(lambda fresh=fresh: all(each.acknowledged for each in fresh), 60)
                repeated += load.repeat_answered(two_ledgers.grpc_port)
            finally:
                another.kill()
            two_ledgers.mark(mark)
            for process in (door, two_ledgers.processes["http"], two_ledgers.processes["worker"]):
                process.kill()
            two_ledgers.heal()
            repeated += load.repeat_answered(two_ledgers.grpc_port)
    assert repeated > 200
    scenario.check(120)
    assert two_ledgers.ledger.all[1].waiting.stats().totals["stored_batches"] > 0
