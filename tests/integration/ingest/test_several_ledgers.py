"""Two ledgers: each workspace has one of them, and every promise holds over both."""

import datetime as dt
from collections import Counter

import pytest

from ingest.commit.group import Receipt
from ingest.status import Reason, RefusedError
from ingest.tenant import Tenant
from ledger.dead_letters.search import DeadLetterFilter, DeadLetters
from ledger.dead_letters.spill import Spill
from ledger.ledger import BrokerError
from ledger.ledgers import open_ledgers
from ledger.register import register
from ledger.states import states_of
from ledger.usage import usage_counters
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.insert import Inserter
from tests.integration.ingest.door import away, taken
from tests.integration.made_logs import entry, payload
from tests.integration.used import of_entries
from worker.several import writer_of

pytestmark = pytest.mark.integration

ALL = DeadLetterFilter()


class Pair:
    """Two ledgers behind proxies, a worker of both, and doors."""

    def __init__(self, stores, gates, open_door):
        self.stores = stores
        self.gates = gates
        self._open_door = open_door
        self.settings = self.make()
        self.ledgers = open_ledgers(self.settings)
        self.clickhouse = Clickhouse(self.settings)
        self.inserter = Inserter(self.settings)
        self.writer = writer_of(self.settings, self.ledgers, self.clickhouse, self.inserter)
        self.first, self.second = self.ledgers.all
        self.one, self.two = (self.workspace(each) for each in self.ledgers.all)

    def make(self, first="", second="", **changes):
        """Settings of both; `#closed` may follow each address."""
        marks = (first, second)
        urls = [
            f"redis://127.0.0.1:{gate.port}/0{m}" for gate, m in zip(self.gates, marks, strict=True)
        ]
        return self.stores(**{"redis_url": ",".join(urls), "broker_timeout": 1.0} | changes)

    def workspace(self, ledger):
        """A workspace of that ledger."""
        return next(name for n in range(99) if self.ledgers.of(name := f"w{n}") is ledger)

    def door(self, first="", second="", **changes):
        """A door of a process that starts now."""
        settings = self.make(first, second, **changes)
        register(settings)
        return self._open_door(settings)

    def store(self):
        """Store what waits; gives the bodies in the table."""
        while any(outcome.rows for outcome in self.writer.drain()):
            pass
        assert self.ledgers.waiting.stats().waiting_chunks == 0
        return self.bodies()

    def bodies(self):
        return Counter(body for (body,) in self.clickhouse.query("SELECT Body FROM otel_logs"))

    def bury(self, workspace, body, reason="poison"):
        made, ledger = entry([body], workspace=workspace), self.ledgers.of(workspace)
        ledger.accept([made])
        ledger.dead_letter(ledger.seal(), made.chunk.header.id, reason)
        return made.chunk.header.id

    def close(self):
        self.inserter.close()
        self.clickhouse.close()
        self.ledgers.close()


@pytest.fixture(scope="module")
def other_valkey(new_valkey):
    return new_valkey()


@pytest.fixture
def pair(stores, clickhouse, valkey, other_valkey, proxy, open_door):
    other_valkey.client.flushall()
    for table in ("dead_letters", "usage"):
        clickhouse.query(f"TRUNCATE TABLE {table}")
    made = Pair(stores, (proxy(valkey.port), proxy(other_valkey.port)), open_door)
    register(made.settings)
    yield made
    made.close()


def waiting(ledger):
    return ledger.waiting.stats().waiting_records


def test_each_workspace_goes_through_its_ledger_and_is_stored_once(pair):
    door = pair.door()
    sent = {each: door.ask(payload([each]), Tenant(each, "web")) for each in (pair.one, pair.two)}
    assert (waiting(pair.first), waiting(pair.second)) == (1, 1)
    again = {each: door.ask(payload([each]), Tenant(each, "web")) for each in sent}
    assert again == sent

    assert {pair.ledgers.receipts.status(str(each)).state for each in sent.values()} == {"queued"}
    assert pair.store() == {pair.one: 1, pair.two: 1}
    assert {pair.ledgers.receipts.status(str(each)).state for each in sent.values()} == {"stored"}


def both(pair):
    """A request with a record of a workspace of each ledger."""
    parts = (payload(["a"], workspace_id=pair.one), payload(["b"], workspace_id=pair.two))
    return b"".join(parts)


def test_a_request_for_both_has_one_receipt_for_all_of_it(pair):
    outcome = pair.door().ask(both(pair))
    assert isinstance(outcome, Receipt)
    assert (waiting(pair.first), waiting(pair.second)) == (1, 1)

    status = pair.ledgers.receipts.status(str(outcome))
    assert (status.state, status.records, status.tallies["queued"].chunks) == ("queued", 2, 2)
    pair.writer._writers[0].drain()
    status = pair.ledgers.receipts.status(str(outcome))
    assert (status.state, status.rows) == ("queued", 1)
    pair.store()
    status = pair.ledgers.receipts.status(str(outcome))
    assert (status.state, status.rows, status.records) == ("stored", 2, 2)
    assert pair.ledgers.receipts.status("0" * 32) is None

    away(pair.gates[1])
    with pytest.raises(BrokerError):
        pair.ledgers.receipts.status(str(outcome))


def test_of_a_ledger_that_is_away_only_the_workspaces_are_refused(pair):
    door = pair.door(direct_inserts=0)
    away(pair.gates[1])
    assert isinstance(door.ask(payload(["a"]), Tenant(pair.one, "web")), Receipt)
    for content, tenant in ((payload(["b"]), pair.two), (both(pair), "default")):
        refused = door.ask(content, Tenant(tenant, "web"))
        assert isinstance(refused, RefusedError)
        assert refused.reason is Reason.UNAVAILABLE
        assert "the broker cannot be reached" in refused.text
        assert refused.retry_after
    states = {each.name: each.state for each in states_of(pair.ledgers)}
    assert states == {pair.first.name: "ok", pair.second.name: "away"}
    assert [each.broker_away for each in pair.writer.drain()] == [True, False]

    pair.gates[1].heal()
    assert isinstance(taken(door, both(pair)), Receipt)
    pair.writer._away_until = [0.0, 0.0]
    assert pair.store() == {"a": 2, "b": 1}


def test_around_a_ledger_that_is_away_its_workspaces_are_stored_directly_and_once(pair, wait_until):
    door = pair.door()
    away(pair.gates[1])
    direct = taken(door, both(pair))
    assert direct.backend == "redis"
    assert pair.bodies() == {"b": 1}

    pair.gates[1].heal()
    wait_until(lambda: state(pair, direct) == "queued")
    assert str(taken(door, both(pair))) == str(direct)
    assert isinstance(pair.door().ask(both(pair)), Receipt)
    pair.writer._away_until = [0.0, 0.0]
    assert pair.store() == {"a": 1, "b": 1}
    wait_until(lambda: state(pair, direct) == "stored")


def state(pair, receipt):
    try:
        found = pair.ledgers.receipts.status(str(receipt))
    except BrokerError:
        return None
    return found and found.state


def test_a_full_ledger_refuses_its_workspaces_alone(pair):
    door = pair.door()
    for name, backlog in door.receiver.admission.backlogs.items():
        assert backlog.full is False
        backlog.stop()
        backlog._max_waiting = 10**9
        backlog.full = name == pair.second.name
    door.receiver.admission.admit(1)
    for backlog in door.receiver.admission.backlogs.values():
        backlog.full = True
    with pytest.raises(RefusedError, match="more is waiting"):
        door.receiver.admission.admit(1)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("", "#closed"), ("", "")),
        (("", ""), ("", "#closing")),
        (("", "#closing"), ("", "#closed")),
        (("#closing", ""), ("#closed", "")),
        (("#closed", ""), ("", "")),
    ],
)
def test_a_request_is_known_when_its_workspace_has_another_ledger(pair, before, after):
    tenants = [Tenant(each, "web") for each in (pair.one, pair.two)]
    old = pair.door(*before)
    sent = [old.ask(payload([each.workspace_id]), each) for each in tenants]
    together = old.ask(both(pair))
    new = pair.door(*after)
    assert [new.ask(payload([each.workspace_id]), each) for each in tenants] == sent
    assert str(new.ask(both(pair))) == str(together)
    # Both run for a while, and a retry may reach either.
    for each in tenants:
        fresh = payload([f"fresh {each.workspace_id}"])
        assert new.ask(fresh, each) == old.ask(fresh, each)
    assert pair.ledgers.receipts.status(str(together)).state == "queued"
    stored = pair.store()
    assert set(stored.values()) == {1}
    assert len(stored) == 6


def test_while_the_ledger_before_is_away_its_requests_are_not_taken_for_new_ones(pair):
    tenant = Tenant(pair.two, "web")
    pair.door("", "#closed").ask(payload(["x"]), tenant)
    door = pair.door()
    away(pair.gates[0])
    refused = door.ask(payload(["x"]), tenant)
    assert refused.reason is Reason.UNAVAILABLE
    assert pair.first.name in refused.text
    pair.gates[0].heal()
    assert isinstance(door.ask(payload(["x"]), tenant), Receipt)
    assert pair.store() == {"x": 1}


def test_dead_letters_of_both_are_listed_replayed_and_dropped_wherever_they_are(pair):
    ids = [pair.bury(w, f"{w}-{n}") for n in range(3) for w in (pair.one, pair.two)]
    letters = DeadLetters(pair.ledgers, pair.clickhouse)
    assert {each.id for each in letters.matching(ALL)} == set(ids)
    assert pair.ledgers.waiting.stats().dead_chunks == 6

    spill = Spill(
        pair.make(ledger_max_bytes=1 << 20, dead_letters_max_bytes=1), pair.ledgers, pair.clickhouse
    )
    assert spill.run() == 6
    stats = pair.ledgers.waiting.stats()
    assert (stats.dead_chunks, stats.spilled_chunks) == (0, 6)
    more = [pair.bury(w, f"{w}-more") for w in (pair.one, pair.two)]
    found = list(letters.matching(ALL))
    assert {each.id for each in found} == {*ids, *more}
    dead_at = [each.dead_ms for each in found]
    assert dead_at == sorted(dead_at, reverse=True)

    for one in (ids[0], ids[1], more[0], more[1]):
        assert letters.drop(letters.one(one))
        assert not letters.one(one)
        assert pair.ledgers.receipts.status(one).state == "dropped"
    assert letters.replay_all(ALL) == 4
    assert list(letters.matching(ALL)) == []
    assert pair.ledgers.waiting.stats().spilled_chunks == 0
    assert pair.store() == {f"{w}-{n}": 1 for n in (1, 2) for w in (pair.one, pair.two)}
    assert {pair.ledgers.receipts.status(each).state for each in ids[2:]} == {"stored"}


@pytest.mark.parametrize("lost", [(0,), (1,), (0, 1)])
def test_dead_letters_in_clickhouse_are_found_if_a_ledger_lost_its_count_of_them(pair, lost):
    for n in range(3):
        for workspace in (pair.one, pair.two):
            pair.bury(workspace, f"{workspace}-{n}")
    spill = Spill(
        pair.make(ledger_max_bytes=1 << 20, dead_letters_max_bytes=1), pair.ledgers, pair.clickhouse
    )
    assert spill.run() == 6
    for place in lost:
        with pair.ledgers.all[place].broker.reading() as client:
            client.hdel("sheaf:waiting", "spilled")
    letters = DeadLetters(pair.ledgers, pair.clickhouse)
    assert len(list(letters.matching(ALL))) == 6
    assert pair.ledgers.waiting.stats().spilled_chunks == 6
    assert letters.drop_all(ALL) == 6
    assert pair.ledgers.waiting.stats().spilled_chunks == 0
    assert list(letters.matching(ALL)) == []


def test_usage_of_both_is_counted_once_before_and_after_it_is_moved(pair):
    made = [entry(["a"], workspace=pair.one), entry(["b", "c"], workspace=pair.two)]
    for each in made:
        pair.ledgers.of(each.chunk.header.workspace_id).accept([each])
    pair.store()
    counters = usage_counters(pair.ledgers)

    def total():
        today = dt.datetime.now(dt.UTC).date()
        day = dt.timedelta(days=1)
        rows = counters.read(pair.clickhouse, "", today - day, today + day)
        return {
            (u.workspace_id, u.client_id, u.signal, u.outcome): (u.requests, u.records, u.bytes)
            for u in rows
        }

    assert total() == of_entries(made)
    assert counters.move(pair.clickhouse) == 2
    assert total() == of_entries(made)
    assert counters.move(pair.clickhouse) == 0


def test_a_ledger_that_hangs_delays_no_other(pair):
    door = pair.door(broker_timeout=30.0)
    assert isinstance(door.ask(payload(["warm"]), Tenant(pair.two, "web")), Receipt)
    pair.gates[1].break_all("hold")
    held = door.send(payload(["held"]), Tenant(pair.two, "web"))
    for n in range(3):
        assert isinstance(door.ask(payload([f"{n}"]), Tenant(pair.one, "web")), Receipt)
    assert held.empty()
    pair.gates[1].heal()
    assert isinstance(held.get(timeout=20), Receipt)
    assert pair.store() == dict.fromkeys(("warm", "held", "0", "1", "2"), 1)
