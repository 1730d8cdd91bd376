"""Dead letters beyond their limit move to ClickHouse; both places are one list."""

import json
import random
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as property_settings
from hypothesis import strategies as st

from cli.dead_letters import run
from config.units import MIB
from ledger.broker import BrokerFullError
from ledger.chunk import Chunk
from ledger.dead_letters.both import BothPlaces
from ledger.dead_letters.search import DeadLetterFilter, DeadLetters
from ledger.dead_letters.spill import Spill
from ledger.dead_letters.spilled import SpilledLetters
from ledger.ledger import Entry, Ledger, RepeatedRequestsError
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import UnavailableError
from storage.clickhouse.insert import Inserter
from storage.clickhouse.space import NoSpaceError
from tests.integration.made_jobs import Worker, order
from tests.integration.made_logs import entry, payload
from tests.integration.small_disk import clickhouse_disk  # noqa: F401 - a fixture
from web.app import create_app
from worker.write import Writer

pytestmark = pytest.mark.integration

ALL = DeadLetterFilter()


class DeadEnd:
    """A ledger with dead letters, and ClickHouse, where they may move."""

    def __init__(self, settings, clickhouse):
        self.settings = settings
        self.clickhouse = clickhouse
        self.ledger = Ledger(settings)
        self.letters = DeadLetters(self.ledger, clickhouse)
        self.spill = Spill(settings, self.ledger, clickhouse)

    def bury(self, made, reason="it is broken"):
        self.ledger.accept([made])
        self.ledger.dead_letter(self.ledger.seal(), made.chunk.header.id, reason)
        return made.chunk.header.id

    def ids(self, filters=ALL):
        return [letter.id for letter in self.letters.matching(filters)]

    def stats(self):
        return self.ledger.waiting.stats()

    def store_all(self):
        inserter = Inserter(self.settings)
        writer = Writer(self.settings, self.ledger, self.clickhouse, inserter)
        while writer.drain():
            pass
        inserter.close()
        return sorted(b for (b,) in self.clickhouse.query("SELECT Body FROM otel_logs"))


@pytest.fixture
def end(stores, clickhouse):
    """Every dead letter is beyond the limit."""
    clickhouse.query("TRUNCATE TABLE dead_letters")
    made = DeadEnd(stores(dead_letters_max_bytes=1), clickhouse)
    yield made
    made.ledger.close()


def test_beyond_the_limit_the_oldest_move_and_the_list_stays_the_same(stores, end):
    buried = [end.bury(entry([f"m{n}"])) for n in range(20)]
    size = end.stats().dead_bytes
    before = [(e.id, e.dead_at, e.reason, e.header) for e in end.letters.matching(ALL)]
    half = Spill(stores(dead_letters_max_bytes=size // 2), end.ledger, end.clickhouse)
    moved = half.run()

    assert 0 < moved < 20
    assert end.stats().dead_bytes <= size // 2
    assert (end.stats().dead_chunks, end.stats().spilled_chunks) == (20 - moved, moved)
    assert {e.id for e in end.ledger.dead_letters.newest()}.isdisjoint(buried[:moved])
    assert [(e.id, e.dead_at, e.reason, e.header) for e in end.letters.matching(ALL)] == before
    # Nothing is beyond the limit now.
    assert half.run() == 0


def test_both_places_are_listed_as_one_page_by_page(end, valkey):
    buried = [end.bury(entry([f"m{n}"])) for n in range(30)]
    # Several of the same millisecond.
    valkey.client.zadd("sheaf:dead", {each: 1000 + n // 7 for n, each in enumerate(buried)})
    source = random.Random(1)
    moved = source.sample(buried, 15)
    places = [p for p in end.ledger.dead_letters.oldest(100) if p.id in moved]
    assert end.spill._move(end.ledger, _letters(end, places)) == 15

    seen, after = [], None
    while True:
        page = end.letters.page(ALL, 4, after)
        seen += [(each.dead_ms, each.id) for each in page.letters]
        after = page.after
        if after is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert sorted(each for _, each in seen) == sorted(buried)


def _letters(end, places):
    letters = end.ledger.dead_letters.letters(places)
    return [(letter, end.ledger.fetch([letter.id])[0]) for letter in letters]


def test_the_api_shows_downloads_replays_and_drops_what_moved(end):
    one, other = end.bury(entry(["one"]), "poison"), end.bury(entry(["other"]), "decay")
    assert end.spill.run() == 2
    api = create_app(end.settings, end.clickhouse, end.ledger).test_client()
    api.environ_base["HTTP_X_WORKSPACE_ID"] = "acme"

    listed = api.get("/api/v1/dead-letters").json["dead_letters"]
    assert [(each["id"], each["reason"]) for each in listed] == [(other, "decay"), (one, "poison")]
    shown = api.get(f"/api/v1/dead-letters/{one}").json
    assert shown["records"][0]["Body"] == "one"
    assert api.get(f"/api/v1/dead-letters/{one}/otlp").data == payload(["one"])
    strange = api.get(f"/api/v1/dead-letters/{one}", headers={"X-Workspace-Id": "other"})
    assert strange.status_code == 404

    assert api.post(f"/api/v1/dead-letters/{one}/replay").json["replayed"] == 1
    assert api.post(f"/api/v1/dead-letters/{one}/replay").status_code == 404
    assert api.delete(f"/api/v1/dead-letters/{other}").json["dropped"] == 1
    assert api.delete(f"/api/v1/dead-letters/{other}").status_code == 404
    assert api.get("/api/v1/dead-letters").json["dead_letters"] == []
    assert end.store_all() == ["one"]
    assert SpilledLetters(end.clickhouse).count() == end.stats().spilled_chunks == 0


def test_the_command_line_shows_replays_and_drops_what_moved(end, tmp_path, capsys):
    one, other = end.bury(entry(["one"]), "poison"), end.bury(entry(["other"]), "decay")
    assert end.spill.run() == 2
    capsys.readouterr()
    assert run(end.settings, ["list", "--reason", "poison"]) == 0
    assert capsys.readouterr().out.split()[0] == one
    assert run(end.settings, ["show", one]) == 0
    assert json.loads(capsys.readouterr().out)["content"][0]["Body"] == "one"
    target = tmp_path / "letter.otlp"
    assert run(end.settings, ["show", one, "--otlp", str(target)]) == 0
    assert target.read_bytes() == payload(["one"])
    assert run(end.settings, ["drop", other]) == 0
    assert run(end.settings, ["replay", "--all"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("1 ")
    assert end.ids() == []
    assert end.store_all() == ["one"]


def test_receipts_of_what_moved_still_say_why(end):
    moved = end.bury(entry(["x", "y"]), "it is poison")
    end.spill.run()
    status = end.ledger.receipts.status(moved)
    assert (status.state, status.records, status.reason) == ("dead", 2, "it is poison")
    end.letters.drop_all(ALL)
    assert end.ledger.receipts.status(moved).state == "dropped"


def test_a_job_replays_both_places(end):
    for number in range(5):
        end.bury(entry([f"moved {number}"]))
    end.spill.run()
    for number in range(5):
        end.bury(entry([f"here {number}"]))
    worker = Worker(end.settings)
    job = worker.run(order("replay", workspace="acme"))
    worker.close()
    assert (job.state, job.done, job.total) == ("done", 10, 10)
    assert len(end.store_all()) == 10
    assert end.ids() == []


def test_what_moved_is_replayed_once(end):
    made = entry(["once"])
    end.bury(made)
    end.spill.run()
    end.letters.replay_all(ALL)
    assert end.store_all() == ["once"]
    # Its request is known even when a door that stored directly names the chunk after it.
    with pytest.raises(RepeatedRequestsError):
        end.ledger.accept([Entry(made.chunk, ("another",), tried=True)])
    assert end.store_all() == ["once"]


def test_what_moved_is_replayed_only_as_far_as_the_ledger_has_room(stores, end):
    wide = [entry(["x"], chunk_id=f"{n:032x}") for n in range(4)]
    for each in wide:
        end.bury(Entry(Chunk(each.chunk.header, b"x" * 400_000), each.requests))
        end.spill.run()
    small = Ledger(stores(ledger_max_bytes=MIB))
    letters = DeadLetters(small, end.clickhouse)
    with pytest.raises(BrokerFullError, match="no room"):
        letters.replay_all(ALL)
    assert small.waiting.stats().waiting_chunks == 2
    assert len(end.ids()) == 2
    small.close()


def test_nothing_moves_while_clickhouse_is_short_of_space(end, clickhouse_disk):  # noqa: F811
    buried = end.bury(entry(["x"]))
    clickhouse_disk.free = 0
    with pytest.raises(NoSpaceError):
        end.spill.run()
    assert end.stats().dead_chunks == 1
    clickhouse_disk.free = 2**40
    assert end.spill.run() == 1
    assert end.ids() == [buried]


def test_a_broker_that_lost_everything_finds_again_what_moved(end, valkey):
    buried = end.bury(entry(["x"]))
    end.spill.run()
    valkey.client.flushall()
    assert end.ids() == [buried]
    assert end.letters.replay_all(ALL) == 1
    assert end.store_all() == ["x"]


def test_without_clickhouse_the_list_says_so_only_if_some_are_there(end, make_settings, free_port):
    end.bury(entry(["x"]))
    away = Clickhouse(make_settings(clickhouse_port=free_port()))
    letters = DeadLetters(end.ledger, away)
    assert len(list(letters.matching(ALL))) == 1
    end.spill.run()
    with pytest.raises(UnavailableError):
        list(letters.matching(ALL))
    away.close()


class DiesError(Exception):
    """A worker dies here."""


STEPS = ("begin", "add", "remove", "forget", "none")


@property_settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    acts=st.lists(
        st.tuples(
            st.sampled_from(["bury", "spill", "replay", "drop", "race"]), st.sampled_from(STEPS)
        ),
        max_size=10,
    )
)
def test_whoever_dies_when_each_letter_is_listed_once_and_stored_once(end, valkey, acts):
    valkey.client.flushall()
    for table in ("dead_letters", "otel_logs"):
        end.clickhouse.query(f"TRUNCATE TABLE {table}")
    dead, replayed = {}, []
    for number, (act, dies_at) in enumerate(acts):
        if act == "bury":
            dead[end.bury(entry([f"m{number}"]))] = f"m{number}"
        elif act == "spill":
            _spill(end, dies_at)
        elif act == "race" and dead:
            # Replayed while it moves: between its copy and its removal.
            _race(end, dead, replayed)
        elif dead:
            chosen = sorted(dead)[number % len(dead)]
            _act(end, act, chosen, dies_at)
            body = dead.pop(chosen)
            if act == "replay":
                replayed.append(body)
        assert sorted(end.ids()) == sorted(dead)
        assert _store(end, replayed) == sorted(replayed)
        assert sorted(end.ids()) == sorted(dead)
    # At last nothing is left to note, and the counts agree.
    end.spill.run()
    assert sorted(end.ids()) == sorted(dead)
    assert (end.stats().dead_chunks, end.stats().spilled_chunks) == (0, len(dead))
    assert SpilledLetters(end.clickhouse).count() == len(dead)


def _store(end, replayed):
    return end.store_all() if replayed else []


def _die(*_, **__):
    raise DiesError


def _spill(end, dies_at):
    spill = Spill(end.settings, end.ledger, end.clickhouse)
    with pytest.MonkeyPatch.context() as patch:
        run_script = end.ledger.broker.run

        def script(script, *args, **more):
            if dies_at == "begin" and script is spill._begin:
                raise DiesError
            if dies_at == "remove" and script is spill._remove:
                raise DiesError
            return run_script(script, *args, **more)

        patch.setattr(end.ledger.broker, "run", script)
        if dies_at == "add":
            patch.setattr(spill._there, "add", _die)
        if dies_at == "forget":
            patch.setattr(spill._both, "forget", _die)
        with suppress(DiesError):
            spill.run()


def _race(end, dead, replayed):
    chosen = min(dead)
    spill = Spill(end.settings, end.ledger, end.clickhouse)
    add = spill._there.add

    def slow(letters):
        add(letters)
        letter = end.letters.one(chosen)
        assert end.letters.replay_many([letter]) == 1

    if end.letters.one(chosen).spilled:
        return
    spill._there.add = slow
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ledger.dead_letters.spill._LETTERS_AT_ONCE", 1_000)
        spill.run()
    replayed.append(dead.pop(chosen))


def _act(end, act, chosen, dies_at):
    letter = end.letters.one(chosen)
    letters = DeadLetters(end.ledger, end.clickhouse)
    with pytest.MonkeyPatch.context() as patch:
        if dies_at == "forget":
            patch.setattr(BothPlaces, "forget", lambda *_, **__: 0)
        assert (letters.replay if act == "replay" else letters.drop)(letter)
    # Whoever had listed it before finds that it is gone.
    assert not (letters.replay if act == "replay" else letters.drop)(letter)
