import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest

from ledger import keys
from ledger.chunk import Chunk
from ledger.ledger import (
    BrokerDoubtError,
    BrokerFullError,
    Entry,
    Ledger,
    LedgerFullError,
    LostLeaseError,
    RepeatedRequestsError,
)
from storage.lifecycle.direct_requests import DirectRequest
from tests.integration.made_logs import entry, new_chunk

pytestmark = pytest.mark.integration


def ids(entries):
    return tuple(each.chunk.header.id for each in entries)


def seal_now(ledger, batch):
    """Take a batch over from its holder, as if its lease had ended."""
    ledger.release(batch, -1)
    return ledger.seal()


def test_an_accepted_chunk_is_sealed_fetched_and_settled(ledger):
    entries = [entry(["a", "b"]), entry(["c"])]
    payload_bytes = sum(len(each.chunk.payload) for each in entries)

    assert ledger.accept(entries) == payload_bytes
    assert waiting(ledger) == (2, 3, payload_bytes)

    batch = ledger.seal()
    assert sorted(batch.chunk_ids) == sorted(ids(entries))
    assert (batch.attempt, batch.signal, batch.open_records) == (1, "logs", 0)
    assert ledger.seal() is None
    assert ledger.fetch(ids(entries)) == [each.chunk for each in entries]

    ledger.settle(batch)
    assert waiting(ledger) == (0, 0, 0)
    totals = ledger.waiting.stats().totals
    assert totals["accepted_records:logs"] == totals["stored_records:logs"] == 3
    assert ledger.fetch(ids(entries)) == []
    assert ledger.seal() is None


def waiting(ledger):
    """Chunks, records and bytes that wait."""
    stats = ledger.waiting.stats()
    return stats.waiting_chunks, stats.waiting_records, stats.waiting_bytes


def test_what_became_of_a_chunk_is_told_at_every_step(ledger):
    status = ledger.receipts.status
    good, bad = entry(["a", "b"]), entry(["c"])
    good_id, bad_id = ids([good, bad])
    assert status(good_id) is None

    ledger.accept([good, bad])
    queued = status(good_id)
    assert (queued.state, queued.records, queued.rows) == ("queued", 2, 0)

    batch = ledger.seal()
    assert status(good_id).state == "queued"

    rest = ledger.dead_letter(batch, bad_id, "it is broken")
    ledger.settle(rest)
    stored, dead = status(good_id), status(bad_id)
    assert (stored.state, stored.rows, stored.records) == ("stored", 2, 2)
    assert (dead.state, dead.rows, dead.records, dead.reason) == ("dead", 0, 1, "it is broken")
    # Unix seconds, after 2023.
    assert stored.at > 1_700_000_000

    ledger.dead_letters.drop(bad_id)
    dropped = status(bad_id)
    assert (dropped.state, dropped.rows, dropped.records) == ("dropped", 0, 1)
    assert dropped.at >= stored.at


def test_a_receipt_of_several_chunks_is_as_good_as_the_worst_of_them(ledger, valkey):
    entries = [entry(["x"] * records) for records in (1, 2, 3, 4)]
    stored, dead, dropped, expired = ids(entries)
    ledger.accept(entries)
    ledger.receipts.note([], {"several": ids(entries), "two": [stored, expired]})

    receipt = ledger.receipts.status("several")
    assert (receipt.state, receipt.records, receipt.rows) == ("queued", 10, 0)

    batch = ledger.seal()
    batch = ledger.dead_letter(batch, dead, "why")
    batch = ledger.dead_letter(batch, dropped, "whatever")
    ledger.settle(batch)
    assert ledger.receipts.status("two").state == "stored"

    receipt = ledger.receipts.status("several")
    assert (receipt.state, receipt.records, receipt.rows) == ("dead", 10, 5)
    assert receipt.reason in {"why", "whatever"}

    ledger.dead_letters.drop(dropped)
    valkey.client.delete(f"sheaf:stored:{expired}")
    receipt = ledger.receipts.status("several")
    tallies = {state: (tally.chunks, tally.records) for state, tally in receipt.tallies.items()}
    assert tallies == {
        "queued": (0, 0),
        "stored": (1, 1),
        "dead": (1, 2),
        "dropped": (1, 3),
        "unknown": (1, 0),
    }
    assert (receipt.state, receipt.reason) == ("dead", "why")
    assert ledger.receipts.status("two").state == "unknown"

    ledger.dead_letters.drop(dead)
    assert ledger.receipts.status("several").state == "dropped"


def test_a_receipt_of_very_many_chunks_is_short_and_told_in_few_trips(ledger, valkey):
    chunks = [f"{number:032x}" for number in range(2500)]
    # All but the last are stored, with two rows each.
    stored = [DirectRequest(chunk_id, 2, 1_763_726_400.5) for chunk_id in chunks[:-1]]
    with frozen_clock(1_763_726_401_000):
        ledger.receipts.note(stored, {"many": chunks})

    valkey.client.config_resetstat()
    receipt = ledger.receipts.status("many")
    script_calls = valkey.client.info("commandstats")["cmdstat_evalsha"]["calls"]

    assert (receipt.state, receipt.rows) == ("unknown", 2 * 2499)
    assert receipt.tallies["unknown"].chunks == 1
    assert script_calls <= 5


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
        # Chunks are ordered by the millisecond of their acceptance: wait for the next one.
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
    # Two of the large ones are more than a batch may have, the huge one alone is.
    large = [entry([" " * 700_000], chunk_id=f"{n:032x}") for n in range(3)]
    huge = entry([" " * 3_000_000], chunk_id="f" * 32)
    ledger.accept([*large, huge])

    assert [len(ledger.seal().chunk_ids) for _ in range(4)] == [1, 1, 1, 1]
    ledger.close()


def test_signals_are_never_mixed_in_a_batch(ledger):
    signals = ("metrics", "logs", "traces")
    ledger.accept([Entry(new_chunk(b"", 1, signal=signal), ()) for signal in signals])
    batches = [ledger.seal() for _ in signals]

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

    with pytest.raises(RepeatedRequestsError) as repeated:
        ledger.accept([tried])
    assert repeated.value.known == {"r": chunk_id}

    batch = ledger.seal()
    assert batch.attempt == 2
    ledger.settle(batch)

    with pytest.raises(RepeatedRequestsError) as repeated:
        ledger.accept([tried])
    assert repeated.value.known == {"r": chunk_id}
    assert ledger.waiting.stats().waiting_records == 0


def test_a_full_ledger_takes_nothing_and_says_what_waits(valkey, make_settings):
    ledger = Ledger(make_settings(redis_url=valkey.url, ledger_max_bytes=1024 * 1024))
    big = Entry(Chunk(new_chunk(b"", 1).header, b"x" * 900_000), ("r1",))
    too_much = Entry(Chunk(new_chunk(b"", 1).header, b"x" * 200_000), ("r2",))
    waiting_bytes = ledger.accept([big])
    before = dump(valkey)

    with pytest.raises(LedgerFullError) as full:
        ledger.accept([too_much])
    assert full.value.waiting == waiting_bytes == 900_000
    assert dump(valkey) == before

    ledger.settle(ledger.seal())
    ledger.accept([too_much])
    ledger.close()


def dump(valkey):
    """Every key and its value."""
    client = valkey.client
    read = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
    }
    return {key: read[client.type(key)](key) for key in client.keys("sheaf:*")}


def test_a_late_holder_is_refused_by_every_script(ledger, valkey):
    ledger.accept([entry(["a"]), entry(["b"])])
    late = ledger.seal()
    first_chunk, second_chunk = late.chunk_ids
    batch = seal_now(ledger, late)
    assert (batch.id, batch.attempt) == (late.id, 2)
    assert batch.chunk_ids == late.chunk_ids

    before = dump(valkey)
    for script, *arguments in (
        (ledger.settle,),
        (ledger.renew,),
        (ledger.release, 0),
        (ledger.split, [(first_chunk,), (second_chunk,)]),
        (ledger.dead_letter, first_chunk, "why"),
    ):
        with pytest.raises(LostLeaseError):
            script(late, *arguments)
        assert dump(valkey) == before

    ledger.settle(batch)
    for script in (ledger.settle, ledger.renew):
        with pytest.raises(LostLeaseError):
            script(batch)
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
    assert ledger.waiting.overdue(0) == 0
    assert ledger.seal() is None

    ledger.release(taken, 0)
    assert ledger.waiting.overdue(0) == 1

    ledger.close()


def test_a_batch_whose_seal_was_answered_to_nobody_is_taken_up_at_once(
    ledger, valkey, make_settings, proxy
):
    gate = proxy(valkey.port)
    behind_gate = Ledger(
        make_settings(redis_url=f"redis://127.0.0.1:{gate.port}/0", broker_timeout=0.3)
    )
    assert behind_gate.seal() is None

    ledger.accept([entry(["a"])])
    gate.break_next("swallow", 1)
    with pytest.raises(BrokerDoubtError):
        behind_gate.seal()
    assert ledger.seal() is None, "another process took over a batch that it knows nothing about"

    batch = behind_gate.seal()
    assert batch.attempt == 2
    assert behind_gate.seal() is None

    behind_gate.settle(batch)
    assert ledger.waiting.stats().waiting_records == 0

    behind_gate.close()


def test_a_batch_that_was_left_is_taken_up_at_once_by_who_has_left_it_alone(
    ledger, valkey, make_settings
):
    other = Ledger(make_settings(redis_url=valkey.url))
    ledger.accept([entry(["a"])])
    batch = ledger.seal()
    ledger.abandon(batch)

    assert other.seal() is None

    again = ledger.seal()
    assert (again.id, again.attempt) == (batch.id, batch.attempt + 1)
    assert ledger.seal() is None
    with pytest.raises(LostLeaseError):
        ledger.settle(batch)

    ledger.settle(again)
    other.close()


def test_a_seal_that_runs_after_its_caller_gave_up_leaves_nothing_behind(ledger):
    """A broker that resumes runs the scripts that it had received, though no caller waits."""
    ledger.accept([entry(["a"]), entry(["b"])])
    late = ledger.seal()
    ledger.abandon(late)
    first = seal_or_fail(ledger)
    ledger.settle(first)

    # The call of this seal is recorded, but does not run yet.
    ledger.accept([entry(["c"])])
    recorded = []
    run = ledger.broker.run

    def record(_script, *arguments):
        recorded.append(arguments)
        raise BrokerDoubtError("no answer")

    ledger.broker.run = record
    with pytest.raises(BrokerDoubtError):
        ledger.seal()
    ledger.broker.run = run
    assert seal_or_fail(ledger)

    # Now it runs, with the arguments of then.
    ledger.accept([entry(["d"])])
    assert run(ledger._scripts["seal"], *recorded[0])
    assert seal_or_fail(ledger).chunk_ids


def seal_or_fail(ledger):
    batch = ledger.seal()
    assert batch is not None
    return batch


def test_the_parts_of_a_split_batch_are_due_at_once_and_count_on(ledger):
    ledger.accept([entry([str(n)]) for n in range(3)])
    batch = seal_now(ledger, ledger.seal())
    halves = [batch.chunk_ids[:1], batch.chunk_ids[1:]]

    ledger.split(batch, halves)
    parts = [ledger.seal(), ledger.seal()]

    assert ledger.seal() is None
    assert {part.chunk_ids for part in parts} == set(halves)
    assert [part.attempt for part in parts] == [3, 3]
    assert batch.id not in {part.id for part in parts}

    for part in parts:
        ledger.settle(part)
    assert ledger.waiting.stats().waiting_records == 0


def test_a_dead_letter_is_listed_replayed_and_dropped(ledger, valkey):
    bad, worse = entry(["a", "b"]), entry(["c"])
    bad_id, worse_id = ids([bad, worse])
    ledger.accept([bad, worse])
    batch = ledger.seal()

    rest = ledger.dead_letter(batch, bad_id, "first reason")
    assert ledger.dead_letter(rest, worse_id, "second reason").chunk_ids == ()
    assert ledger.waiting.stats().dead_chunks == 2
    assert ledger.waiting.stats().waiting_bytes == 0
    assert {(letter.id, letter.reason) for letter in ledger.dead_letters.newest()} == {
        (bad_id, "first reason"),
        (worse_id, "second reason"),
    }
    with pytest.raises(LostLeaseError):
        ledger.settle(batch)

    assert ledger.dead_letters.replay(bad_id, "logs")
    assert not ledger.dead_letters.replay(bad_id, "logs")

    again = ledger.seal()
    assert again.chunk_ids == (bad_id,)
    assert again.attempt == 2
    assert ledger.fetch(again.chunk_ids) == [replace(bad.chunk, tries=1)]

    assert ledger.dead_letters.drop(worse_id)
    assert not ledger.dead_letters.drop(worse_id)
    assert ledger.fetch([worse_id]) == []

    ledger.settle(again)
    assert valkey.client.keys("sheaf:chunk:*") == []


def test_more_dead_letters_than_one_page_are_all_listed(ledger):
    entries = [entry(["a"]) for _ in range(150)]
    ledger.accept(entries)
    batch = ledger.seal()
    for chunk_id in batch.chunk_ids:
        batch = ledger.dead_letter(batch, chunk_id, "why")
    assert sorted(letter.id for letter in ledger.dead_letters.newest()) == sorted(ids(entries))


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
    batch = ledger.dead_letter(batch, batch.chunk_ids[0], "why")
    ledger.split(batch, [batch.chunk_ids[:2], batch.chunk_ids[2:]])
    ledger.settle(ledger.seal())
    ledger.settle(ledger.seal())

    assert ledger.waiting.stats().waiting_records == 0

    [letter] = ledger.dead_letters.newest()
    assert ledger.dead_letters.drop(letter.id)

    valkey.client.config_set("maxmemory", 0)
    ledger.accept(entries[5:])


def test_a_restart_of_the_broker_keeps_everything(new_valkey, make_settings):
    server = new_valkey()
    ledger = Ledger(make_settings(redis_url=server.url))
    ledger.accept([entry([str(n)]) for n in range(4)])
    batch = ledger.seal()
    batch = ledger.dead_letter(batch, batch.chunk_ids[0], "why")
    ledger.split(batch, [batch.chunk_ids[:1], batch.chunk_ids[1:]])
    ledger.settle(ledger.seal())
    ledger.accept([entry(["late"])])
    waiting_records = ledger.waiting.stats().waiting_records
    before = dump(server)

    server.stop()
    server.start()

    assert dump(server) == before
    assert ledger.waiting.stats().waiting_records == waiting_records > 0

    ledger.settle(ledger.seal())
    ledger.settle(ledger.seal())
    assert ledger.waiting.stats().waiting_records == 0

    ledger.close()


def test_no_chunk_is_given_to_two_workers_that_seal_at_once(valkey, make_settings):
    ledger = Ledger(make_settings(redis_url=valkey.url, log_batch_size=3))
    ledger.accept([entry(["a"]) for _ in range(300)])
    chunk_ids = []

    def seal_all():
        while batch := ledger.seal():
            chunk_ids.extend(batch.chunk_ids)

    threads = [threading.Thread(target=seal_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

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
    """Requests are known for ten minutes, receipts for an hour."""
    recent, old, expired = "a" * 32, "b" * 32, "c" * 32
    ages = {recent: 599, old: 601, expired: 3601}
    now = 1_763_726_400
    stored = [DirectRequest(request, 1, float(now - age)) for request, age in ages.items()]
    with frozen_clock(now * 1000):
        ledger.receipts.note(stored, {})

    with pytest.raises(RepeatedRequestsError) as repeated:
        ledger.accept([entry(["a"], requests=list(ages))])
    assert set(repeated.value.known) == {recent}
    assert ledger.receipts.status(old).state == "stored"
    assert ledger.receipts.status(expired) is None
    assert valkey.client.pttl(f"sheaf:request:{recent}") <= 1000


def test_the_digest_of_a_body_is_kept_beside_its_key_and_no_chunk_takes_it_along(ledger):
    kept = entry(["a", "b"], requests=["key", "plain"])
    again = entry(["a"], requests=["plain", "key"])
    ledger.accept([Entry(kept.chunk, kept.requests, bodies={"key": "one"})])

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
    assert ledger.waiting.overdue(seconds=3600) == 0
    assert ledger.waiting.overdue(seconds=-1) == 1


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
