import json
import threading

import pytest
from msgspec import structs
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from cli.dead_letters import run
from config.units import MIB
from ingest.commit.admission import Admission
from ingest.commit.space import SpaceWatch
from ingest.status import Reason, RefusedError
from ledger.chunk import Chunk, pack_header
from ledger.dead_letters.search import REPLAY_BATCH, DeadLetterFilter, DeadLetters, position_of
from ledger.ledger import Entry, Ledger, LedgerFullError
from ledger.limits import LimitView
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.insert import Inserter
from tasks.jobs.replay import replay
from tasks.jobs.run import Work
from tests.integration.made_jobs import Worker, order
from tests.integration.made_logs import NOON, broken_entry, entry, payload
from web.app import create_app
from worker.write import Writer

pytestmark = pytest.mark.integration


@pytest.fixture
def dead_letter(ledger):
    """Accept a chunk and make it a dead letter; returns its id."""

    def put(made, reason="it is broken"):
        ledger.accept([made])
        batch = ledger.seal()
        chunk_id = made.chunk.header.id
        ledger.dead_letter(batch, chunk_id, reason)
        return chunk_id

    return put


@pytest.fixture
def dead_letters(ledger):
    return DeadLetters(ledger)


@pytest.fixture
def api(settings, ledger):
    """A client of the API, bound to the workspace `acme`."""
    client = create_app(settings, ledger=ledger).test_client()
    client.environ_base["HTTP_X_WORKSPACE_ID"] = "acme"
    return client


def ids(letters):
    return [letter.id for letter in letters]


def test_dead_letters_are_listed_newest_first_and_page_by_page(dead_letters, dead_letter):
    dead = [dead_letter(entry([f"m{number}"])) for number in range(150)]

    page = dead_letters.page(DeadLetterFilter(), 40, None)
    found = ids(page.letters)
    while page.after is not None:
        page = dead_letters.page(DeadLetterFilter(), 40, page.after)
        found += ids(page.letters)

    assert sorted(found) == sorted(dead)

    listed = [position_of(letter) for letter in dead_letters.matching(DeadLetterFilter())]
    keys = [(position.dead_ms, position.id) for position in listed]
    assert keys == sorted(keys, reverse=True)


def test_a_page_loses_none_when_others_are_replayed_meanwhile(dead_letters, dead_letter):
    dead = {dead_letter(entry([f"m{number}"])) for number in range(200)}
    walk = dead_letters.matching(DeadLetterFilter())
    first = [next(walk) for _ in range(10)]
    for letter in first:
        assert dead_letters.replay(letter)
    assert {letter.id for letter in walk} | set(ids(first)) == dead


def test_filters_are_combined(dead_letters, dead_letter):
    poison = "Code: 469. Constraint no_poison is violated"
    wanted = dead_letter(entry(["a"]), poison)
    dead_letter(entry(["b"]), "cannot be decoded")
    dead_letter(entry(["c"], workspace="other"), poison)

    def found(*args, **filters):
        return ids(dead_letters.matching(DeadLetterFilter(*args, **filters)))

    assert found("acme", "web", "logs", "CONSTRAINT") == [wanted]
    assert found(client_id="app") == []
    assert found(signal="traces") == []

    [letter] = dead_letters.matching(DeadLetterFilter("acme", reason="469"))
    assert found("acme", since=letter.dead_at) != []
    assert found("acme", since=letter.dead_at + 60) == []
    assert found(until=letter.dead_at - 60) == []


def test_a_dead_letter_of_another_workspace_is_not_found(dead_letters, dead_letter):
    chunk_id = dead_letter(entry(["a"], workspace="other"))
    assert dead_letters.one(chunk_id, "acme") is None
    assert dead_letters.one(chunk_id, "other").id == chunk_id
    assert dead_letters.one("0" * 32) is None


def test_its_records_and_its_bytes_are_those_that_were_sent(dead_letters, dead_letter):
    letter = dead_letters.one(dead_letter(entry(["first", "second"], times=[NOON, NOON + 7])))
    assert dead_letters.otlp(letter) == payload(["first", "second"], times=[NOON, NOON + 7])

    records = dead_letters.records(letter, 10)
    assert [(row["Body"], row["Timestamp"]) for row in records] == [
        ("first", NOON),
        ("second", NOON + 7),
    ]
    assert records[0]["ResourceAttributes"] == {"service.name": "shop"}
    assert len(dead_letters.records(letter, 1)) == 1


def test_one_that_cannot_be_decoded_is_shown_without_records(dead_letters, dead_letter, valkey):
    undecodable = dead_letters.one(dead_letter(broken_entry()))
    assert dead_letters.records(undecodable, 10) == []
    assert dead_letters.otlp(undecodable) == b"\xff\xff\xff\xff"

    damaged = dead_letters.one(dead_letter(entry(["a"])))
    valkey.client.hset(f"sheaf:chunk:{damaged.id}", "payload", b"no zstd")
    assert dead_letters.records(damaged, 10) == []
    assert dead_letters.otlp(damaged) is None


def test_one_is_replayed_once_and_then_stored_once(
    stores, clickhouse, dead_letters, ledger, dead_letter
):
    settings = stores()
    connection, inserter = Clickhouse(settings), Inserter(settings)
    writer = Writer(settings, ledger, connection, inserter)
    letter = dead_letters.one(dead_letter(entry(["again"])))

    assert dead_letters.replay(letter)
    assert not dead_letters.replay(letter)
    assert writer.drain()[0].rows == 1
    assert clickhouse.query("SELECT Body FROM otel_logs") == [("again",)]
    assert ledger.waiting.stats().waiting_chunks == ledger.waiting.stats().dead_chunks == 0

    connection.close()
    inserter.close()


def test_all_that_match_are_replayed(dead_letters, ledger, dead_letter):
    for number in range(70):
        dead_letter(entry([f"m{number}"]), "odd" if number % 2 else "even")
    assert dead_letters.replay_all(DeadLetterFilter(reason="odd")) == 35
    assert ledger.waiting.stats().dead_chunks == 35
    assert {letter.reason for letter in dead_letters.matching(DeadLetterFilter())} == {"even"}


def test_one_that_is_dropped_is_gone_and_its_request_is_news_again(
    dead_letters, ledger, dead_letter
):
    made = entry(["a"])
    letter = dead_letters.one(dead_letter(made))
    assert dead_letters.drop(letter)
    assert not dead_letters.drop(letter)
    assert not dead_letters.replay(letter)

    again = entry(["a"], requests=made.requests)
    ledger.accept([again])
    assert ledger.receipts.status(again.chunk.header.id).state == "queued"


def test_the_api_lists_pages_and_shows(api, dead_letter):
    dead = [dead_letter(entry([f"m{number}"])) for number in range(3)]
    dead_letter(entry(["of another"], workspace="other"))
    first = api.get("/api/v1/dead-letters?limit=2").json
    second = api.get(f"/api/v1/dead-letters?limit=2&cursor={first['next_cursor']}").json
    listed = first["dead_letters"] + second["dead_letters"]

    assert sorted(each["id"] for each in listed) == sorted(dead)
    assert second["next_cursor"] is None
    assert listed[0]["workspace_id"] == "acme"
    assert listed[0]["reason"] == "it is broken"

    shown = api.get(f"/api/v1/dead-letters/{dead[0]}").json
    assert shown["dead_letter"]["records"] == 1
    assert shown["records"][0]["Body"] == "m0"
    assert shown["records"][0]["Timestamp"] == "2025-11-21T12:00:00.000000000Z"


def test_the_api_gives_the_bytes_as_they_came(api, dead_letter):
    chunk_id = dead_letter(entry(["a", "b"]))
    answer = api.get(f"/api/v1/dead-letters/{chunk_id}/otlp")
    assert answer.content_type == "application/x-protobuf"
    request = ExportLogsServiceRequest.FromString(answer.data)
    records = request.resource_logs[0].scope_logs[0].log_records
    assert [record.body.string_value for record in records] == ["a", "b"]


def test_the_api_replays_and_drops(api, dead_letter, ledger):
    one, other, third = (dead_letter(entry([name]), f"reason {name}") for name in "abc")
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
def test_the_api_keeps_workspaces_apart(api, dead_letter, ledger, method, path):
    chunk_id = dead_letter(entry(["secret"], workspace="other"))
    answer = api.open(f"/api/v1/dead-letters/{chunk_id}{path}", method=method)
    assert answer.status_code == 404
    assert "secret" not in answer.text
    assert ledger.waiting.stats().dead_chunks == 1
    assert api.post("/api/v1/dead-letters/replay").json["replayed"] == 0


@pytest.mark.parametrize("query", ["limit=0", "cursor=x", "signal=sounds", "unknown=1"])
def test_the_api_refuses_wrong_parameters(api, query):
    assert api.get(f"/api/v1/dead-letters?{query}").status_code == 422


def test_the_command_line_lists_shows_replays_and_drops(settings, dead_letter, tmp_path, capsys):
    one, other = dead_letter(entry(["m1"]), "poison"), dead_letter(entry(["m2"]), "decay")
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
    assert "The ledger is unavailable" in capsys.readouterr().err


def test_all_that_match_are_dropped(settings, dead_letter, ledger, capsys):
    dead_letter(entry(["a"], workspace="other"))
    for number in range(5):
        dead_letter(entry([str(number)]))
    assert run(settings, ["drop"]) == 2
    assert run(settings, ["drop", "--all", "--workspace", "acme"]) == 0
    assert capsys.readouterr().out == "5 dropped\n"

    stats = ledger.waiting.stats()
    assert stats.dead_chunks == 1
    assert run(settings, ["drop", "--all"]) == 0
    assert ledger.waiting.stats().dead_bytes == 0


@pytest.fixture
def put_dead_letters(valkey):
    """Write dead letters as :meth:`Ledger.dead_letter` does, three in each millisecond."""

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


def test_many_dead_letters_are_replayed_in_few_trips(settings, valkey, put_dead_letters):
    put_dead_letters(MANY)
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
    """How often these commands were called."""
    stats = valkey.client.info("commandstats")
    return sum(stats[f"cmdstat_{name}"]["calls"] for name in names if f"cmdstat_{name}" in stats)


def test_a_replay_that_was_interrupted_goes_on_where_it_was(settings, valkey, put_dead_letters):
    put_dead_letters(5_000)
    first = Worker(settings)
    job = first.book.add(order("replay", {"reason": "nobody has this"}, workspace="acme"))
    lease = first.book.lease()
    work = Work(first.book, lease, threading.Event())
    save = work.save
    saves = 0

    def save_and_stop():
        nonlocal saves
        save()
        saves += 1
        if saves == 4:
            raise ConnectionResetError

    work.save = save_and_stop
    with pytest.raises(ConnectionResetError):
        replay(work, first.stores)

    first.book.save(lease, {}, seconds=0)
    before = calls(valkey, "zrevrangebyscore")
    second = Worker(settings)
    assert second.runner.drain() == 1
    assert second.look(job).result == {"replayed": 0}

    # The parts that were done before the interruption are not read again.
    parts_left = (5_000 - 3 * REPLAY_BATCH) / REPLAY_BATCH
    assert calls(valkey, "zrevrangebyscore") - before <= parts_left + 2

    for worker in (first, second):
        worker.close()


def test_dead_letters_of_an_older_sheaf_are_counted_once_and_kept_counted(
    ledger, valkey, put_dead_letters, dead_letter
):
    put_dead_letters(100)
    size = int(valkey.client.hget(f"sheaf:chunk:{0:032x}", "size"))
    dead_letter(entry(["one more"]))
    assert not valkey.client.hexists("sheaf:waiting", "dead_bytes")

    def recount():
        ids_ = valkey.client.zrange("sheaf:dead", 0, -1)
        return sum(int(valkey.client.hget(b"sheaf:chunk:" + each, "size")) for each in ids_)

    assert ledger.waiting.stats().dead_bytes == recount() > 100 * size / 2

    dead_letter(entry(["and another"]))
    assert ledger.waiting.stats().dead_bytes == recount()

    dead_letters = DeadLetters(ledger)
    letters = list(dead_letters.matching(DeadLetterFilter()))
    assert dead_letters.drop(letters[0])
    assert not dead_letters.drop(letters[0])
    assert ledger.waiting.stats().dead_bytes == recount()
    assert dead_letters.replay_many(letters[:50]) == 49
    assert ledger.waiting.stats().dead_bytes == recount()


def test_dead_letters_fill_the_ledger_and_the_refusal_says_what_to_do(valkey, make_settings):
    small = make_settings(redis_url=valkey.url, ledger_max_bytes=MIB)
    ledger = Ledger(small)
    clickhouse = Clickhouse(small)
    space = SpaceWatch(small, ledger.broker, clickhouse)
    admission = Admission(small, ledger, LimitView(ledger.broker, clickhouse), space)

    def wide():
        made = entry(["x"])
        return Entry(Chunk(made.chunk.header, b"x" * 100_000), made.requests)

    for _ in range(10):
        made = wide()
        ledger.accept([made])
        ledger.dead_letter(ledger.seal(), made.chunk.header.id, "poison")
        admission.see(ledger.waiting.stats())

    with pytest.raises(LedgerFullError):
        ledger.accept([wide()])
    with pytest.raises(RefusedError) as refused:
        admission.admit(1)
    assert "dead letters hold" in refused.value.text
    assert "`sheaf dead-letters`" in refused.value.text
    assert refused.value.reason is Reason.OVERLOADED

    dead_letters = DeadLetters(ledger)
    assert dead_letters.drop_all(DeadLetterFilter()) == 10

    admission.see(ledger.waiting.stats())
    admission.admit(1)
    ledger.accept([wide()])
    ledger.close()
