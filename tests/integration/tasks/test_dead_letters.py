import json
import threading

import pytest
from msgspec import structs
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from cli.dead_letters import run
from config.settings import MIB
from ingest.admission import Admission
from ingest.status import Reason, RefusedError
from storage.client import Clickhouse
from storage.insert import Inserter
from tasks.chunk import Chunk, pack_header
from tasks.dead_letters import REPLAYED_AT_ONCE, DeadLetters, Filters, position_of
from tasks.jobs.replay import replay
from tasks.jobs.run import Work
from tasks.ledger import Entry, Ledger, LedgerFullError
from tasks.write import Writer
from tests.integration.made_jobs import Worker, order
from tests.integration.made_logs import NOON, broken_entry, entry, payload
from web.app import create_app

pytestmark = pytest.mark.integration


@pytest.fixture
def bury(ledger):
    """Accept a chunk and make it a dead letter; gives its id."""

    def put(made, reason="it is broken"):
        ledger.accept([made])
        batch = ledger.seal()
        chunk_id = made.chunk.header.id
        ledger.bury(batch, chunk_id, reason)
        return chunk_id

    return put


@pytest.fixture
def shelf(ledger):
    return DeadLetters(ledger)


@pytest.fixture
def api(settings, ledger):
    """A client of the API, bound to the workspace `acme`."""
    client = create_app(settings, ledger=ledger).test_client()
    client.environ_base["HTTP_X_WORKSPACE_ID"] = "acme"
    return client


def ids(letters):
    return [letter.id for letter in letters]


def test_dead_letters_are_listed_newest_first_and_page_by_page(shelf, bury):
    buried = [bury(entry([f"m{number}"])) for number in range(150)]
    found, after = [], None
    while True:
        page = shelf.page(Filters(), 40, after)
        found += ids(page.letters)
        after = page.after
        if after is None:
            break
    assert sorted(found) == sorted(buried)
    listed = [position_of(letter) for letter in shelf.matching(Filters())]
    keys = [(position.buried_ms, position.id) for position in listed]
    assert keys == sorted(keys, reverse=True)


def test_a_page_loses_none_when_others_are_replayed_meanwhile(shelf, bury):
    buried = {bury(entry([f"m{number}"])) for number in range(200)}
    walk = shelf.matching(Filters())
    first = [next(walk) for _ in range(10)]
    for letter in first:
        assert shelf.replay(letter)
    assert {letter.id for letter in walk} | set(ids(first)) == buried


def test_filters_are_combined(shelf, bury):
    wanted = bury(entry(["a"]), "Code: 469. Constraint no_poison is violated")
    bury(entry(["b"]), "cannot be decoded")
    bury(entry(["c"], workspace="other"), "Code: 469. Constraint no_poison is violated")
    assert ids(shelf.matching(Filters("acme", "web", "logs", "CONSTRAINT"))) == [wanted]
    assert not list(shelf.matching(Filters(client_id="app")))
    assert not list(shelf.matching(Filters(signal="traces")))
    [letter] = shelf.matching(Filters("acme", reason="469"))
    assert ids(shelf.matching(Filters("acme", since=letter.buried_at))) != []
    assert not list(shelf.matching(Filters("acme", since=letter.buried_at + 60)))
    assert not list(shelf.matching(Filters(until=letter.buried_at - 60)))


def test_a_dead_letter_of_another_workspace_is_not_found(shelf, bury):
    chunk_id = bury(entry(["a"], workspace="other"))
    assert shelf.one(chunk_id, "acme") is None
    assert shelf.one(chunk_id, "other").id == chunk_id
    assert shelf.one("0" * 32) is None


def test_its_records_and_its_bytes_are_those_that_were_sent(shelf, bury):
    letter = shelf.one(bury(entry(["first", "second"], times=[NOON, NOON + 7])))
    assert shelf.otlp(letter) == payload(["first", "second"], times=[NOON, NOON + 7])
    records = shelf.records(letter, 10)
    assert [(row["Body"], row["Timestamp"]) for row in records] == [
        ("first", NOON),
        ("second", NOON + 7),
    ]
    assert records[0]["ResourceAttributes"] == {"service.name": "shop"}
    assert len(shelf.records(letter, 1)) == 1


def test_one_that_cannot_be_decoded_is_shown_without_records(shelf, bury, valkey):
    undecodable = shelf.one(bury(broken_entry()))
    assert shelf.records(undecodable, 10) == []
    assert shelf.otlp(undecodable) == b"\xff\xff\xff\xff"
    damaged = shelf.one(bury(entry(["a"])))
    valkey.client.hset(f"sheaf:chunk:{damaged.id}", "payload", b"no zstd")
    assert shelf.records(damaged, 10) == []
    assert shelf.otlp(damaged) is None


def test_one_is_replayed_once_and_then_stored_once(stores, clickhouse, shelf, ledger, bury):
    settings = stores()
    connection, inserter = Clickhouse(settings), Inserter(settings)
    writer = Writer(settings, ledger, connection, inserter)
    letter = shelf.one(bury(entry(["again"])))
    assert shelf.replay(letter)
    assert not shelf.replay(letter)
    assert writer.drain()[0].rows == 1
    assert clickhouse.query("SELECT Body FROM otel_logs") == [("again",)]
    assert ledger.waiting.stats().waiting_chunks == ledger.waiting.stats().dead_chunks == 0
    connection.close()
    inserter.close()


def test_all_that_match_are_replayed(shelf, ledger, bury):
    for number in range(70):
        bury(entry([f"m{number}"]), "odd" if number % 2 else "even")
    assert shelf.replay_all(Filters(reason="odd")) == 35
    assert ledger.waiting.stats().dead_chunks == 35
    assert {letter.reason for letter in shelf.matching(Filters())} == {"even"}


def test_one_that_is_dropped_is_gone_and_its_request_is_news_again(shelf, ledger, bury):
    made = entry(["a"])
    letter = shelf.one(bury(made))
    assert shelf.drop(letter)
    assert not shelf.drop(letter)
    assert not shelf.replay(letter)
    again = entry(["a"], requests=made.requests)
    ledger.accept([again])
    assert ledger.receipts.status(again.chunk.header.id).state == "queued"


def test_the_api_lists_pages_and_shows(api, bury):
    buried = [bury(entry([f"m{number}"])) for number in range(3)]
    bury(entry(["of another"], workspace="other"))
    first = api.get("/api/v1/dead-letters?limit=2").json
    second = api.get(f"/api/v1/dead-letters?limit=2&cursor={first['next_cursor']}").json
    listed = first["dead_letters"] + second["dead_letters"]
    assert sorted(each["id"] for each in listed) == sorted(buried)
    assert second["next_cursor"] is None
    assert listed[0]["workspace_id"] == "acme"
    assert listed[0]["reason"] == "it is broken"
    shown = api.get(f"/api/v1/dead-letters/{buried[0]}").json
    assert shown["dead_letter"]["records"] == 1
    assert shown["records"][0]["Body"] == "m0"
    assert shown["records"][0]["Timestamp"] == "2025-11-21T12:00:00.000000000Z"


def test_the_api_gives_the_bytes_as_they_came(api, bury):
    chunk_id = bury(entry(["a", "b"]))
    answer = api.get(f"/api/v1/dead-letters/{chunk_id}/otlp")
    assert answer.content_type == "application/x-protobuf"
    request = ExportLogsServiceRequest.FromString(answer.data)
    records = request.resource_logs[0].scope_logs[0].log_records
    assert [record.body.string_value for record in records] == ["a", "b"]


def test_the_api_replays_and_drops(api, bury, ledger):
    one, other, third = (bury(entry([name]), f"reason {name}") for name in "abc")
    assert api.post(f"/api/v1/dead-letters/{one}/replay").json["replayed"] == 1
    assert api.post(f"/api/v1/dead-letters/{one}/replay").status_code == 404
    matching = api.post("/api/v1/dead-letters/replay", json={"reason": "REASON B"})
    assert matching.json["replayed"] == 1
    assert api.delete(f"/api/v1/dead-letters/{third}").json["dropped"] == 1
    assert api.delete(f"/api/v1/dead-letters/{third}").status_code == 404
    assert ledger.waiting.stats().waiting_chunks == 2
    assert ledger.receipts.status(other).state == "queued"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/otlp"),
        ("POST", "/replay"),
        ("DELETE", ""),
    ],
)
def test_the_api_keeps_workspaces_apart(api, bury, ledger, method, path):
    chunk_id = bury(entry(["secret"], workspace="other"))
    answer = api.open(f"/api/v1/dead-letters/{chunk_id}{path}", method=method)
    assert answer.status_code == 404
    assert "secret" not in answer.text
    assert ledger.waiting.stats().dead_chunks == 1
    assert api.post("/api/v1/dead-letters/replay").json["replayed"] == 0


@pytest.mark.parametrize("query", ["limit=0", "cursor=x", "signal=sounds", "unknown=1"])
def test_the_api_refuses_wrong_parameters(api, query):
    assert api.get(f"/api/v1/dead-letters?{query}").status_code == 422


def test_the_command_line_lists_shows_replays_and_drops(settings, bury, tmp_path, capsys):
    one, other = bury(entry(["m1"]), "poison"), bury(entry(["m2"]), "decay")
    assert run(settings, ["list", "--reason", "poison"]) == 0
    assert capsys.readouterr().out.split()[0] == one
    assert run(settings, ["show", one]) == 0
    assert json.loads(capsys.readouterr().out)["content"][0]["Body"] == "m1"
    target = tmp_path / "letter.otlp"
    assert run(settings, ["show", one, "--otlp", str(target)]) == 0
    assert target.read_bytes() == payload(["m1"])
    assert run(settings, ["replay", one]) == 0
    assert run(settings, ["replay", one]) == 1
    assert run(settings, ["replay"]) == 2
    assert run(settings, ["drop", other]) == 0
    assert run(settings, ["replay", "--all"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("0 ")


def test_the_command_line_says_when_the_broker_is_away(make_settings, free_port, capsys):
    settings = make_settings(redis_url=f"redis://127.0.0.1:{free_port()}/0")
    assert run(settings, ["list"]) == 1
    assert "cannot be asked" in capsys.readouterr().err


def test_all_that_match_are_dropped(settings, bury, ledger, capsys):
    bury(entry(["a"], workspace="other"))
    for number in range(5):
        bury(entry([str(number)]))
    assert run(settings, ["drop"]) == 2
    assert run(settings, ["drop", "--all", "--workspace", "acme"]) == 0
    assert capsys.readouterr().out == "5 dropped\n"
    stats = ledger.waiting.stats()
    assert stats.dead_chunks == 1
    assert run(settings, ["drop", "--all"]) == 0
    assert ledger.waiting.stats().dead_bytes == 0


@pytest.fixture
def bury_many(valkey):
    """Make dead letters of one millisecond each, as :meth:`Ledger.bury` leaves them."""

    def put(count, first_ms=1_000):
        made = [entry([str(number)]) for number in range(20)]
        pipeline = valkey.client.pipeline(transaction=False)
        for number in range(count):
            header = structs.replace(made[number % 20].chunk.header, id=f"{number:032x}")
            payload = made[number % 20].chunk.payload
            pipeline.hset(
                f"sheaf:chunk:{header.id}",
                mapping={
                    "header": pack_header(header),
                    "payload": payload,
                    "records": 1,
                    "bytes": header.bytes,
                    "size": len(payload),
                    "tries": 0,
                    "reason": "because",
                },
            )
            pipeline.zadd("sheaf:dead", {header.id: first_ms + number // 3})
        pipeline.execute()

    return put


MANY = 20_000


def test_many_dead_letters_are_replayed_in_few_trips(settings, valkey, bury_many):
    bury_many(MANY)
    worker = Worker(settings)
    trips = ("eval", "evalsha", "zrevrangebyscore")
    before = calls(valkey, *trips)
    job = worker.run(order("replay", workspace="acme"))
    assert (job.state, job.done, job.total) == ("done", MANY, MANY)
    assert calls(valkey, *trips) - before < MANY / 50
    stats = worker.ledger.waiting.stats()
    assert (stats.dead_chunks, stats.dead_bytes, stats.waiting_chunks) == (0, 0, MANY)
    worker.close()


def calls(valkey, *names):
    stats = valkey.client.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in names)


def test_a_replay_that_was_interrupted_goes_on_where_it_was(settings, valkey, bury_many):
    bury_many(5_000)
    first = Worker(settings)
    job = first.book.add(order("replay", {"reason": "nobody has this"}, workspace="acme"))
    looked = []

    lease = first.book.lease()
    work = Work(first.book, lease, threading.Event())
    save = work.save

    def save_and_stop():
        save()
        looked.append(dict(work.notes))
        if len(looked) == 4:
            raise ConnectionResetError

    work.save = save_and_stop
    with pytest.raises(ConnectionResetError):
        replay(work, first.stores)
    first.book.save(lease, {}, seconds=0)
    before = calls(valkey, "zrevrangebyscore")
    second = Worker(settings)
    assert second.runner.drain() == 1
    assert second.look(job).result == {"replayed": 0}
    left = (5_000 - 3 * REPLAYED_AT_ONCE) / REPLAYED_AT_ONCE
    assert calls(valkey, "zrevrangebyscore") - before <= left + 2
    for worker in (first, second):
        worker.close()


def test_dead_letters_of_an_older_sheaf_are_counted_once_and_kept_counted(
    ledger, valkey, bury_many, bury
):
    bury_many(100)
    size = int(valkey.client.hget(f"sheaf:chunk:{0:032x}", "size"))
    bury(entry(["one more"]))
    assert not valkey.client.hexists("sheaf:waiting", "dead_bytes")

    def recount():
        ids_ = valkey.client.zrange("sheaf:dead", 0, -1)
        return sum(int(valkey.client.hget(b"sheaf:chunk:" + each, "size")) for each in ids_)

    assert ledger.waiting.stats().dead_bytes == recount() > 100 * size / 2
    bury(entry(["and another"]))
    assert ledger.waiting.stats().dead_bytes == recount()
    shelf = DeadLetters(ledger)
    letters = list(shelf.matching(Filters()))
    assert shelf.drop(letters[0])
    assert not shelf.drop(letters[0])
    assert ledger.waiting.stats().dead_bytes == recount()
    assert shelf.replay_these(letters[:50]) == 49
    assert ledger.waiting.stats().dead_bytes == recount()


def test_dead_letters_fill_the_ledger_and_the_refusal_says_what_to_do(valkey, make_settings):
    small = make_settings(redis_url=valkey.url, ledger_max_bytes=MIB)
    ledger = Ledger(small)
    admission = Admission(small, ledger)

    def wide():
        made = entry(["x"])
        return Entry(Chunk(made.chunk.header, b"x" * 100_000), made.requests)

    for _ in range(10):
        made = wide()
        ledger.accept([made])
        ledger.bury(ledger.seal(), made.chunk.header.id, "poison")
        admission.see(ledger.waiting.stats())
    with pytest.raises(LedgerFullError):
        ledger.accept([wide()])
    with pytest.raises(RefusedError) as refused:
        admission.admit(1)
    assert "dead letters hold" in refused.value.text
    assert "`sheaf dead-letters`" in refused.value.text
    assert refused.value.reason is Reason.OVERLOADED
    shelf = DeadLetters(ledger)
    assert shelf.drop_all(Filters()) == 10
    admission.see(ledger.waiting.stats())
    admission.admit(1)
    ledger.accept([wide()])
    ledger.close()
