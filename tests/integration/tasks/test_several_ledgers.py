"""What workers, the API and commands do with two ledgers."""

import pytest

from cli.ledgers import run
from ledger.exposition import exposition
from ledger.ledgers import open_ledgers
from ledger.register import LedgersChangedError, opened_ms, register
from ledger.space import space_of
from ledger.usable import BrokerUnusableError, check_usable
from ledger.usage import usage_counters
from storage.clickhouse.insert import Inserter
from storage.query.logs.search import LogFilters
from storage.time_range import EVER
from tasks.jobs import delete
from tasks.jobs.delete import LogDeletion
from tasks.jobs.job import new_order
from tests.integration.made_jobs import Worker
from tests.integration.made_logs import entry
from web.app import create_app
from worker.several import writer_of

pytestmark = pytest.mark.integration


class Pair(Worker):
    """A worker of two ledgers; `of` has a workspace of each."""

    def __init__(self, settings):
        super().__init__(settings)
        self.inserter = Inserter(settings)
        self.writer = writer_of(settings, self.ledger, self.clickhouse, self.inserter)
        self.of = [
            next(name for n in range(99) if self.ledger.of(name := f"w{n}") is each)
            for each in self.ledger.all
        ]

    def accept(self, workspace, *bodies):
        made = entry(bodies, workspace=workspace)
        self.ledger.of(workspace).accept([made])
        return made

    def store(self):
        while any(outcome.rows for outcome in self.writer.drain()):
            pass

    def bodies(self):
        rows = self.clickhouse.query("SELECT Body FROM otel_logs ORDER BY Body")
        return [body for (body,) in rows]

    def close(self):
        self.inserter.close()
        super().close()


@pytest.fixture(scope="module")
def other_valkey(new_valkey):
    return new_valkey()


@pytest.fixture
def urls(valkey, other_valkey):
    other_valkey.client.flushall()
    return [valkey.url, other_valkey.url]


@pytest.fixture
def pair(stores, clickhouse, urls):
    assert clickhouse
    made = Pair(stores(redis_url=",".join(urls)))
    register(made.settings)
    yield made
    made.close()


def deletion_of(workspace):
    asked = LogDeletion(LogFilters(workspace_id=workspace), EVER)
    arguments = delete.arguments(asked)
    return new_order("delete", workspace, arguments, unit=delete.RECORDS, asked_by="127.0.0.1")


@pytest.mark.parametrize("place", [0, 1])
def test_a_deletion_waits_for_the_chunks_of_each_ledger(pair, place):
    workspace = pair.of[place]
    pair.accept(workspace, "stored")
    pair.store()
    pair.accept(workspace, "waits")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tasks.jobs.deletion._PATIENCE", 0.0)
        job = pair.book.add(deletion_of(workspace))
        pair.runner.drain()
    assert pair.look(job).state == "running"
    assert pair.bodies() == ["stored"]
    pair.store()
    with pair.ledger.broker.reading() as client:
        client.zadd("sheaf:jobs", {job.order.id: 0})
    pair.runner.drain()
    assert pair.look(job).result == {"deleted": 2}
    assert pair.bodies() == []


def test_the_status_names_a_ledger_that_is_away_and_what_each_holds(
    pair, stores, proxy, valkey, other_valkey, request
):
    gate = proxy(other_valkey.port)
    settings = stores(redis_url=f"{valkey.url},redis://127.0.0.1:{gate.port}/0", auth="off")
    seen = open_ledgers(settings)
    request.addfinalizer(seen.close)
    client = create_app(settings, pair.clickhouse, seen).test_client()
    pair.accept(pair.of[0], "one")
    first = client.get("/api/v1/status").get_json()
    [main, other] = first["system"]["ledgers"]
    assert (main["waiting_records"], main["state"], other["state"]) == (1, "ok", "ok")
    assert first["status"] == "ok"
    assert client.get("/ready").status_code == 200

    gate.break_all("refuse")
    gate.disconnect()
    found = client.get("/api/v1/status").get_json()
    assert found["status"] == "degraded"
    assert found["system"]["problems"] == [
        f"ledger 127.0.0.1:{gate.port}/0: the broker cannot be reached"
    ]
    assert found["system"]["ledgers"][1]["state"] == "away"
    assert found["system"]["ledgers"][1]["waiting_chunks"] is None
    assert found["system"]["counters"] is None
    assert found["system"]["unfinished_jobs"] == 0
    # Readers are not concerned.
    assert client.get("/ready").status_code == 200
    shown = client.get("/metrics").get_data(as_text=True)
    assert f'sheaf_ledger_up{{ledger="127.0.0.1:{gate.port}/0"}} 0.0' in shown
    assert f'sheaf_ledger_up{{ledger="{main["name"]}"}} 1.0' in shown


def test_the_metrics_of_both_are_added_up(pair):
    for workspace in pair.of:
        pair.accept(workspace, "a", "b")
    text = exposition(pair.ledger, space_of(pair.settings, pair.ledger.broker, pair.clickhouse))
    assert b"sheaf_waiting_records 4.0" in text
    assert b'sheaf_accepted_records_total{signal="logs"} 4.0' in text
    assert text.count(b"sheaf_ledger_waiting_bytes{") == 2


def test_an_address_that_is_taken_out_too_early_is_refused_by_each_process(pair, stores, urls):
    with pytest.raises(BrokerUnusableError, match=r"REDIS_URL lacks the ledger .*sheaf ledgers"):
        check_usable(stores(redis_url=urls[0]))
    with pytest.raises(LedgersChangedError, match="put that first"):
        register(stores(redis_url=",".join(reversed(urls))))
    check_usable(pair.settings)


def test_a_ledger_is_forgotten_when_it_is_closed_and_empty(
    pair, stores, urls, capsys, valkey, other_valkey
):
    name = pair.ledger.all[1].name
    pair.accept(pair.of[1], "waits")

    def forget(mark):
        code = run(stores(redis_url=f"{urls[0]},{urls[1]}{mark}"), ["forget", name])
        return code, capsys.readouterr().err

    assert "mark it #closed" in forget("")[1]
    assert "1 waiting chunks" in forget("#closed")[1]
    pair.store()
    assert "counters" in forget("#closed")[1]
    usage_counters(pair.ledger).move(pair.clickhouse)
    assert "whose time has not passed" in forget("#closed")[1]
    for key in other_valkey.client.scan_iter("sheaf:*"):
        if key.split(b":")[1] in {b"request", b"stored", b"receipt"}:
            other_valkey.client.delete(key)
    other_valkey.client.hset("sheaf:waiting", "spilled", 2)
    before = int(valkey.client.hget("sheaf:waiting", "spilled") or 0)
    assert forget("#closed") == (0, "")
    # Its dead letters in ClickHouse are found without it.
    assert int(valkey.client.hget("sheaf:waiting", "spilled")) == before + 2
    register(stores(redis_url=urls[0]))


def test_the_command_lists_the_ledgers(pair, capsys):
    pair.accept(pair.of[1], "waits")
    assert run(pair.settings, ["list"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"{pair.ledger.all[0].name}  open  0 chunks wait (0 bytes), 0 dead letters"
    assert second.startswith(f"{pair.ledger.all[1].name}  open  1 chunks wait (")


def test_the_main_ledger_and_the_only_one_are_never_forgotten(pair, stores, urls, capsys):
    main = pair.ledger.all[0].name
    assert run(pair.settings, ["forget", main]) == 1
    assert "is the main broker" in capsys.readouterr().err
    assert run(pair.settings, ["forget", "other:1/0"]) == 1
    assert "REDIS_URL has no ledger other:1/0" in capsys.readouterr().err
    assert run(stores(redis_url=urls[0]), ["forget", main]) == 1
    assert "names one ledger" in capsys.readouterr().err


def test_another_broker_than_the_main_one_needs_rights_to_the_keys_of_sheaf_alone(
    pair, stores, urls, other_valkey, request
):
    rights = ("resetkeys", "~sheaf*", "resetchannels", "+@all", "-@dangerous", "+info")
    acl = other_valkey.client.execute_command
    acl("ACL", "SETUSER", "limited", "on", ">its-secret", *rights)
    request.addfinalizer(lambda: acl("ACL", "DELUSER", "limited"))
    url = f"redis://limited:its-secret@127.0.0.1:{other_valkey.port}/0"
    settings = stores(redis_url=f"{urls[0]},{url}")
    check_usable(settings)
    limited = Pair(settings)
    request.addfinalizer(limited.close)
    assert limited.of == pair.of
    for workspace in limited.of:
        limited.accept(workspace, workspace)
    limited.store()
    assert limited.bodies() == sorted(limited.of)
    assert usage_counters(limited.ledger).move(limited.clickhouse) == 2

    acl("ACL", "SETUSER", "limited", "resetkeys", "~other*")
    with pytest.raises(BrokerUnusableError, match="does not allow its user the key sheaf:ledger"):
        check_usable(settings)


def opened(pair):
    return [opened_ms(each.broker) for each in pair.ledger.all]


def test_the_first_ledgers_have_always_been_open_and_one_that_is_added_has_not(
    pair, stores, urls, valkey, other_valkey
):
    assert opened(pair) == [1, 1]

    for each in (valkey, other_valkey):
        each.client.flushall()
    pair.accept(pair.of[0], "accepted while there was one")
    register(stores(redis_url=f"{urls[0]},{urls[1]}#closed"))
    assert other_valkey.client.hkeys("sheaf:ledgers")
    assert not other_valkey.client.hexists("sheaf:ledgers", "opened")
    register(pair.settings)
    first, second = opened(pair)
    assert first == 1 < second
    register(pair.settings)
    assert opened(pair) == [first, second]
    # Who closes the first one, and opens it again, opens it anew.
    register(stores(redis_url=f"{urls[0]}#closed,{urls[1]}"))
    register(pair.settings)
    assert opened(pair)[0] > second
