import threading
import time
from contextlib import contextmanager

import pytest

from storage.direct_requests import DirectRequest
from tasks import keys
from tasks.chunk import Chunk
from tasks.ledger import (
    BrokerDoubtError,
    BrokerFullError,
    Entry,
    Ledger,
    LedgerFullError,
    LostLeaseError,
    RepeatedRequestsError,
)
from tests.integration.made_logs import entry, new_chunk

pytestmark = pytest.mark.integration


def ids(entries):
    return tuple(each.chunk.header.id for each in entries)


def seal_now(ledger, batch):
    """Take a batch over from its holder, as after the end of its lease."""
    ledger.release(batch, -1)
    return ledger.seal()


def test_an_accepted_chunk_is_sealed_fetched_and_settled(ledger):
    entries = [entry(["a", "b"]), entry(["c"])]
    waiting = ledger.accept(entries)
    assert waiting == sum(len(each.chunk.payload) for each in entries)
    stats = ledger.waiting.stats()
    assert (stats.waiting_chunks, stats.waiting_records, stats.waiting_bytes) == (2, 3, waiting)

    batch = ledger.seal()
    assert sorted(batch.chunk_ids) == sorted(ids(entries))
    assert (batch.attempt, batch.signal, batch.open_records) == (1, "logs", 0)
    assert ledger.seal() is None
    assert ledger.fetch(ids(entries)) == [each.chunk for each in entries]

    ledger.settle(batch)
    stats = ledger.waiting.stats()
    assert (stats.waiting_chunks, stats.waiting_records, stats.waiting_bytes) == (0, 0, 0)
    assert stats.totals["accepted_records:logs"] == stats.totals["stored_records:logs"] == 3
    assert ledger.fetch(ids(entries)) == []
    assert ledger.seal() is None


def test_what_became_of_a_chunk_is_told_at_every_step(ledger):
    good, bad = entry(["a", "b"]), entry(["c"])
    good_id, bad_id = ids([good, bad])
    assert ledger.receipts.status(good_id) is None
    ledger.accept([good, bad])
    queued = ledger.receipts.status(good_id)
    assert (queued.state, queued.records, queued.rows) == ("queued", 2, 0)
    batch = ledger.seal()
    assert ledger.receipts.status(good_id).state == "queued"
    ledger.settle(ledger.bury(batch, bad_id, "it is broken"))
    good, bad = ledger.receipts.status(good_id), ledger.receipts.status(bad_id)
    assert (good.state, good.rows, good.records) == ("stored", 2, 2)
    assert (bad.state, bad.rows, bad.records, bad.reason) == ("dead", 0, 1, "it is broken")
    assert good.at > 1_700_000_000
    ledger.buried.drop(bad_id)
    bad = ledger.receipts.status(bad_id)
    assert (bad.state, bad.rows, bad.records) == ("dropped", 0, 1)
    assert bad.at >= good.at


def test_a_receipt_of_several_chunks_is_as_good_as_the_worst_of_them(ledger, valkey):
    entries = [entry(["x"] * (n + 1)) for n in range(4)]
    stored, dead, dropped, expired = ids(entries)
    ledger.accept(entries)
    ledger.receipts.note([], {"several": ids(entries), "two": [stored, expired]})
    receipt = ledger.receipts.status("several")
    assert (receipt.state, receipt.records, receipt.rows) == ("queued", 10, 0)
    batch = ledger.seal()
    batch = ledger.bury(batch, dead, "why")
    batch = ledger.bury(batch, dropped, "whatever")
    ledger.settle(batch)
    assert ledger.receipts.status("two").state == "stored"
    receipt = ledger.receipts.status("several")
    assert (receipt.state, receipt.records, receipt.rows) == ("dead", 10, 5)
    assert receipt.reason in {"why", "whatever"}
    ledger.buried.drop(dropped)
    valkey.client.delete(f"sheaf:stored:{expired}")
    told = ledger.receipts.status("several")
    assert {state: (tally.chunks, tally.records) for state, tally in told.tallies.items()} == {
        "queued": (0, 0),
        "stored": (1, 1),
        "dead": (1, 2),
        "dropped": (1, 3),
        "unknown": (1, 0),
    }
    assert (told.state, told.reason) == ("dead", "why")
    assert ledger.receipts.status("two").state == "unknown"
    ledger.buried.drop(dead)
    assert ledger.receipts.status("several").state == "dropped"


def test_a_receipt_of_very_many_chunks_is_short_and_told_in_few_trips(ledger, valkey):
    chunks = [f"{number:032x}" for number in range(2500)]
    stored = [DirectRequest(chunk_id, 2, 1_763_726_400.5) for chunk_id in chunks[:-1]]
    with frozen_clock(1_763_726_401_000):
        ledger.receipts.note(stored, {"many": chunks})
    valkey.client.config_resetstat()
    receipt = ledger.receipts.status("many")
    assert (receipt.state, receipt.rows) == ("unknown", 2 * 2499)
    assert receipt.tallies["unknown"].chunks == 1
    assert valkey.client.info("commandstats")["cmdstat_evalsha"]["calls"] <= 5


@contextmanager
def frozen_clock(now):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "now_ms", lambda: now)
        yield


def test_the_oldest_chunks_go_first_up_to_the_limit_of_rows(valkey, make_settings):
    ledger = Ledger(make_settings(redis_url=valkey.url, log_batch_size=5, worker_threads=1))
    entries = [entry(["x"] * 2) for _ in range(4)]
    for each in entries:
        ledger.accept([each])
        # Acceptance is counted in milliseconds.
        while valkey.client.zscore("sheaf:ledger", each.chunk.header.id) == _now(valkey):
            pass
    first = ledger.seal()
    assert first.chunk_ids == ids(entries[:2])
    assert first.open_records == 4
    assert ledger.seal().chunk_ids == ids(entries[2:])
    ledger.close()


def _now(valkey):
    seconds, micros = valkey.client.time()
    return seconds * 1000 + micros // 1000


@pytest.mark.parametrize(
    ("threads", "waiting", "sizes"),
    [
        (2, 59, [59]),
        (2, 60, [40, 20]),
        (2, 110, [55, 55]),
        (2, 250, [120, 65, 40, 25]),
        (3, 240, [80, 54, 40, 40, 26]),
        (1, 130, [120, 10]),
    ],
)
def test_the_last_rows_are_shared_between_the_threads_but_for_small_rests(
    valkey, make_settings, threads, waiting, sizes
):
    settings = make_settings(redis_url=valkey.url, log_batch_size=120, worker_threads=threads)
    ledger = Ledger(settings)
    ledger.accept([entry(["x"]) for _ in range(waiting)])
    assert [len(ledger.seal().chunk_ids) for _ in sizes] == sizes
    assert ledger.seal() is None
    ledger.close()


def test_a_batch_is_limited_in_uncompressed_bytes_and_one_chunk_always_fits(valkey, make_settings):
    ledger = Ledger(make_settings(redis_url=valkey.url, batch_max_bytes=1024 * 1024))
    large = [entry([" " * 700_000], chunk_id=f"{n:032x}") for n in range(3)]
    huge = entry([" " * 3_000_000], chunk_id="f" * 32)
    ledger.accept([*large, huge])
    assert [len(ledger.seal().chunk_ids) for _ in range(4)] == [1, 1, 1, 1]
    ledger.close()


def test_signals_are_never_mixed_in_a_batch(ledger):
    entries = [Entry(new_chunk(b"", 1, signal=s), ()) for s in ("metrics", "logs", "traces")]
    ledger.accept(entries)
    batches = [ledger.seal() for _ in range(3)]
    assert sorted(batch.signal for batch in batches) == ["logs", "metrics", "traces"]
    assert all(len(batch.chunk_ids) == 1 for batch in batches)


def test_a_repeated_request_is_told_its_chunk_and_nothing_is_taken(ledger, valkey):
    first = entry(["a"], requests=["r1", "r2"])
    ledger.accept([first])
    before = dump(valkey)
    with pytest.raises(RepeatedRequestsError) as repeated:
        ledger.accept([entry(["new"], requests=["r3"]), entry(["again"], requests=["r4", "r2"])])
    assert repeated.value.known == {"r2": first.chunk.header.id}
    assert dump(valkey) == before
    ledger.settle(ledger.seal())
    with pytest.raises(RepeatedRequestsError):
        ledger.accept([entry(["again"], requests=["r1"])])


def test_after_the_window_an_equal_request_is_a_new_one(valkey, make_settings, wait_until):
    ledger = Ledger(make_settings(redis_url=valkey.url, request_window=1))
    ledger.accept([entry(["a"], requests=["r"])])

    def forgotten():
        return not valkey.client.exists("sheaf:request:r")

    wait_until(forgotten)
    ledger.accept([entry(["a"], requests=["r"])])
    assert ledger.waiting.stats().waiting_chunks == 2
    ledger.close()


def test_a_chunk_that_was_tried_directly_enters_once_however_long_it_waits(ledger, valkey):
    tried = entry(["a"], tried=True, requests=["r"])
    chunk_id = tried.chunk.header.id
    ledger.accept([tried])
    valkey.client.delete("sheaf:request:r")
    for _ in range(2):
        with pytest.raises(RepeatedRequestsError) as repeated:
            ledger.accept([tried])
        assert repeated.value.known == {"r": chunk_id}
        if batch := ledger.seal():
            assert batch.attempt == 2
            ledger.settle(batch)
    assert ledger.waiting.stats().waiting_records == 0


def test_a_full_ledger_takes_nothing_and_says_what_waits(valkey, make_settings):
    ledger = Ledger(make_settings(redis_url=valkey.url, ledger_max_bytes=1024 * 1024))
    chunk = new_chunk(b"", 1)
    big = Entry(Chunk(chunk.header, b"x" * 900_000), ("r1",))
    waiting = ledger.accept([big])
    before = dump(valkey)
    other = new_chunk(b"", 1)
    with pytest.raises(LedgerFullError) as full:
        ledger.accept([Entry(Chunk(other.header, b"x" * 200_000), ("r2",))])
    assert full.value.waiting == waiting == 900_000
    assert dump(valkey) == before
    ledger.settle(ledger.seal())
    ledger.accept([Entry(Chunk(other.header, b"x" * 200_000), ("r2",))])
    ledger.close()


def dump(valkey):
    """Every key and its value."""
    return {key: valkey.client.dump(key) for key in valkey.client.keys("sheaf:*")}


def test_a_late_holder_is_refused_by_every_script(ledger, valkey):
    ledger.accept([entry(["a"]), entry(["b"])])
    late = ledger.seal()
    batch = seal_now(ledger, late)
    assert (batch.id, batch.attempt) == (late.id, 2)
    assert batch.chunk_ids == late.chunk_ids
    before = dump(valkey)
    for change in (
        lambda: ledger.settle(late),
        lambda: ledger.renew(late),
        lambda: ledger.release(late, 0),
        lambda: ledger.split(late, [late.chunk_ids[:1], late.chunk_ids[1:]]),
        lambda: ledger.bury(late, late.chunk_ids[0], "why"),
    ):
        with pytest.raises(LostLeaseError):
            change()
        assert dump(valkey) == before
    ledger.settle(batch)
    for change in (ledger.settle, ledger.renew):
        with pytest.raises(LostLeaseError):
            change(batch)
    assert ledger.waiting.stats().waiting_records == 0


def test_a_lease_that_ran_out_passes_on_and_a_renewed_one_does_not(
    valkey, make_settings, wait_until
):
    short = make_settings(redis_url=valkey.url, insert_timeout=1, lease_margin=1)
    ledger = Ledger(short)
    ledger.accept([entry(["a"])])
    first = ledger.seal()
    assert ledger.seal() is None
    taken = wait_until(ledger.seal)
    assert (taken.id, taken.attempt) == (first.id, 2)
    ledger.release(taken, 3600)
    assert ledger.waiting.left_lying(0) == 0
    assert ledger.seal() is None
    ledger.release(taken, 0)
    assert ledger.waiting.left_lying(0) == 1
    ledger.close()


def test_a_batch_whose_seal_was_answered_to_nobody_is_taken_up_at_once(
    ledger, valkey, make_settings, proxy
):
    gate = proxy(valkey.port)
    own = Ledger(make_settings(redis_url=f"redis://127.0.0.1:{gate.port}/0", broker_timeout=0.3))
    assert own.seal() is None
    ledger.accept([entry(["a"])])
    gate.break_next("swallow", 1)
    with pytest.raises(BrokerDoubtError):
        own.seal()
    assert ledger.seal() is None, "another process took what it knows nothing of"
    batch = own.seal()
    assert batch.attempt == 2
    assert own.seal() is None
    own.settle(batch)
    assert ledger.waiting.stats().waiting_records == 0
    own.close()


def test_a_batch_that_was_left_is_taken_up_at_once_by_who_has_left_it_alone(
    ledger, valkey, make_settings
):
    other = Ledger(make_settings(redis_url=valkey.url))
    ledger.accept([entry(["a"])])
    batch = ledger.seal()
    ledger.leave(batch)
    assert other.seal() is None
    again = ledger.seal()
    assert (again.id, again.attempt) == (batch.id, batch.attempt + 1)
    assert ledger.seal() is None
    with pytest.raises(LostLeaseError):
        ledger.settle(batch)
    ledger.settle(again)
    other.close()


def test_a_seal_that_runs_after_its_caller_gave_up_leaves_nothing_behind(ledger):
    """A broker that wakes up runs what it had received, though nobody waits for it any more."""
    ledger.accept([entry(["a"]), entry(["b"])])
    late = ledger.seal()
    ledger.leave(late)
    first = seal_or_fail(ledger)
    ledger.settle(first)
    ledger.accept([entry(["c"])])
    script, arguments = ledger._scripts["seal"], []
    run = ledger.broker.run
    ledger.broker.run = lambda asked, *args: arguments.append(args) or doubt(asked)
    with pytest.raises(BrokerDoubtError):
        ledger.seal()
    ledger.broker.run = run
    assert seal_or_fail(ledger)
    ledger.accept([entry(["d"])])
    assert run(script, *arguments[0])
    assert seal_or_fail(ledger).chunk_ids


def seal_or_fail(ledger):
    batch = ledger.seal()
    assert batch is not None
    return batch


def doubt(_script):
    raise BrokerDoubtError("no answer")


def test_the_parts_of_a_split_batch_are_due_at_once_and_count_on(ledger):
    entries = [entry([str(n)]) for n in range(3)]
    ledger.accept(entries)
    batch = seal_now(ledger, ledger.seal())
    ledger.split(batch, [batch.chunk_ids[:1], batch.chunk_ids[1:]])
    parts = [ledger.seal(), ledger.seal()]
    assert ledger.seal() is None
    assert {part.chunk_ids for part in parts} == {batch.chunk_ids[:1], batch.chunk_ids[1:]}
    assert [part.attempt for part in parts] == [3, 3]
    assert batch.id not in {part.id for part in parts}
    for part in parts:
        ledger.settle(part)
    assert ledger.waiting.stats().waiting_records == 0


def test_a_dead_letter_is_listed_replayed_and_dropped(ledger, valkey):
    bad, worse = entry(["a", "b"]), entry(["c"])
    ledger.accept([bad, worse])
    batch = ledger.seal()
    rest = ledger.bury(batch, bad.chunk.header.id, "first reason")
    assert ledger.bury(rest, worse.chunk.header.id, "second reason").chunk_ids == ()
    assert ledger.waiting.stats().dead_chunks == 2
    assert ledger.waiting.stats().waiting_bytes == 0
    assert {(letter.id, letter.reason) for letter in ledger.buried.newest()} == {
        (bad.chunk.header.id, "first reason"),
        (worse.chunk.header.id, "second reason"),
    }
    with pytest.raises(LostLeaseError):
        ledger.settle(batch)

    assert ledger.buried.replay(bad.chunk.header.id, "logs")
    assert not ledger.buried.replay(bad.chunk.header.id, "logs")
    again = ledger.seal()
    assert again.chunk_ids == (bad.chunk.header.id,)
    assert again.attempt == 2
    assert ledger.fetch(again.chunk_ids) == [bad.chunk]

    assert ledger.buried.drop(worse.chunk.header.id)
    assert not ledger.buried.drop(worse.chunk.header.id)
    assert ledger.fetch(ids([worse])) == []
    ledger.settle(again)
    assert valkey.client.keys("sheaf:chunk:*") == []


def test_more_dead_letters_than_one_page_are_all_listed(ledger):
    entries = [entry(["a"]) for _ in range(150)]
    ledger.accept(entries)
    batch = ledger.seal()
    for chunk_id in batch.chunk_ids:
        batch = ledger.bury(batch, chunk_id, "why")
    assert sorted(letter.id for letter in ledger.buried.newest()) == sorted(ids(entries))


def test_a_broker_out_of_memory_takes_nothing_more_and_lets_all_of_it_out(ledger, valkey):
    entries = [entry([str(n)]) for n in range(6)]
    ledger.accept(entries[:5])
    before = dump(valkey)
    valkey.client.config_set("maxmemory", 1)
    with pytest.raises(BrokerFullError):
        ledger.accept(entries[5:])
    assert dump(valkey) == before

    batch = ledger.seal()
    ledger.renew(batch)
    ledger.release(batch, -1)
    batch = ledger.seal()
    batch = ledger.bury(batch, batch.chunk_ids[0], "why")
    ledger.split(batch, [batch.chunk_ids[:2], batch.chunk_ids[2:]])
    ledger.settle(ledger.seal())
    ledger.settle(ledger.seal())
    assert ledger.waiting.stats().waiting_records == 0
    [letter] = ledger.buried.newest()
    assert ledger.buried.drop(letter.id)
    valkey.client.config_set("maxmemory", 0)
    ledger.accept(entries[5:])


def test_a_restart_of_the_broker_keeps_everything(new_valkey, make_settings):
    server = new_valkey()
    ledger = Ledger(make_settings(redis_url=server.url))
    ledger.accept([entry([str(n)]) for n in range(4)])
    batch = ledger.seal()
    batch = ledger.bury(batch, batch.chunk_ids[0], "why")
    ledger.split(batch, [batch.chunk_ids[:1], batch.chunk_ids[1:]])
    ledger.settle(ledger.seal())
    ledger.accept([entry(["late"])])
    waiting = ledger.waiting.stats().waiting_records
    before = dump(server)
    server.stop()
    server.start()
    assert dump(server) == before
    assert ledger.waiting.stats().waiting_records == waiting > 0
    ledger.settle(ledger.seal())
    ledger.settle(ledger.seal())
    assert ledger.waiting.stats().waiting_records == 0
    ledger.close()


def test_no_chunk_is_given_to_two_workers_that_seal_at_once(valkey, make_settings):
    ledger = Ledger(make_settings(redis_url=valkey.url, log_batch_size=3))
    ledger.accept([entry(["a"]) for _ in range(300)])
    sealed = [[] for _ in range(4)]

    def seal_all(own):
        while batch := ledger.seal():
            own.append(batch)

    threads = [threading.Thread(target=seal_all, args=(own,)) for own in sealed]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    chunk_ids = [chunk for own in sealed for batch in own for chunk in batch.chunk_ids]
    assert len(chunk_ids) == len(set(chunk_ids)) == 300
    ledger.close()


def test_chunks_that_a_door_stored_itself_get_receipts_and_are_known_as_repeats(ledger):
    request, keyed = "ab" * 16, "cd" * 16
    now = time.time()
    stored = [DirectRequest(request, 7, now), DirectRequest(keyed, 1, now, "digest")]
    for _ in range(2):
        ledger.receipts.note(stored, {})
    status = ledger.receipts.status(request)
    assert (status.state, status.rows) == ("stored", 7)
    assert status.at == pytest.approx(now, abs=0.001)
    with pytest.raises(RepeatedRequestsError) as repeated:
        ledger.accept([entry(["a"], requests=[request]), entry(["b"], requests=[keyed])])
    assert repeated.value.known == {request: request, keyed: keyed}
    assert repeated.value.bodies == {request: "", keyed: "digest"}


def test_what_was_stored_directly_before_a_window_is_not_known_for_another(ledger, valkey):
    ages = {"a" * 32: 599, "b" * 32: 601, "c" * 32: 3601}
    stored = [DirectRequest(request, 1, 1_763_726_400.0 - age) for request, age in ages.items()]
    with frozen_clock(1_763_726_400_000):
        ledger.receipts.note(stored, {})
    with pytest.raises(RepeatedRequestsError) as repeated:
        ledger.accept([entry(["a"], requests=list(ages))])
    assert set(repeated.value.known) == {"a" * 32}
    assert ledger.receipts.status("b" * 32).state == "stored"
    assert ledger.receipts.status("c" * 32) is None
    assert valkey.client.pttl("sheaf:request:" + "a" * 32) <= 1000


def test_the_digest_of_a_body_is_kept_beside_its_key_and_no_chunk_takes_it_along(ledger):
    kept = entry(["a", "b"], requests=["key", "plain"])
    ledger.accept([Entry(kept.chunk, kept.requests, bodies={"key": "one body"[:3]})])
    again = entry(["a"], requests=["plain", "key"])
    with pytest.raises(RepeatedRequestsError) as repeated:
        ledger.accept([Entry(again.chunk, again.requests, bodies={"key": "other"})])
    assert repeated.value.known == dict.fromkeys(["key", "plain"], kept.chunk.header.id)
    assert repeated.value.bodies == {"key": "one", "plain": ""}


def test_a_full_broker_takes_the_receipts_of_what_was_stored_without_it(ledger, valkey):
    valkey.client.config_set("maxmemory", 1)
    with pytest.raises(BrokerFullError):
        ledger.accept([entry(["a"])])
    ledger.receipts.note([DirectRequest("ab" * 16, 7, time.time())], {"list": ["ab" * 16]})
    assert ledger.receipts.status("list").rows == 7
    with pytest.raises(RepeatedRequestsError):
        ledger.accept([entry(["a"], requests=["ab" * 16])])


def test_chunks_that_nobody_seals_are_counted_after_a_while(ledger):
    ledger.accept([entry(["a"])])
    assert ledger.waiting.left_lying(seconds=3600) == 0
    assert ledger.waiting.left_lying(seconds=-1) == 1


def test_a_broker_that_is_far_beyond_its_memory_takes_no_receipts_either(
    ledger, valkey, wait_until
):
    def noted():
        try:
            ledger.receipts.note([DirectRequest("ab" * 16, 7, time.time())], {})
        except BrokerFullError:
            return False
        return True

    valkey.client.set("ballast", b"x" * 80 * 1024 * 1024)
    valkey.client.config_set("maxmemory", 1)
    assert not noted()
    valkey.client.delete("ballast")
    wait_until(noted)
