"""Batches take the workspaces' chunks in turn, and each workspace's in order."""

import itertools
from collections import defaultdict

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ledger import keys
from ledger import ledger as ledger_module
from ledger.ledger import Entry, Ledger
from tests.integration.made_logs import new_chunk

pytestmark = pytest.mark.integration

MANY = 50
MAX_ROWS = 1000
MAX_BYTES = 1024 * 1024
MAX_CHUNKS = 80
SHARE = 8
"""A batch is at most full to an eighth when the next workspace has its turn, but for one chunk."""


@pytest.fixture(autouse=True)
def _each_chunk_at_its_own_time(monkeypatch):
    clock = itertools.count(1)
    monkeypatch.setattr(keys, "now_ms", lambda: next(clock))


@pytest.fixture
def make_ledger(valkey, make_settings, request):
    def make(**settings):
        made = Ledger(make_settings(redis_url=valkey.url, worker_threads=1, **settings))
        request.addfinalizer(made.close)
        return made

    return make


def accept(ledger, workspace, *, records=1, size=10, signal="logs"):
    """Accept one chunk; gives its id."""
    chunk = new_chunk(b"x" * size, records, workspace=workspace, signal=signal)
    ledger.accept([Entry(chunk, ())])
    return chunk.header.id


def drain(ledger):
    """Seal and settle all that waits."""
    while batch := ledger.seal():
        ledger.settle(batch)
        yield batch


FLOODS = {
    "rows": {"records": MAX_ROWS // 10},
    "bytes": {"size": MAX_BYTES // 10},
    "chunks": {"records": 1, "size": 1},
}


@pytest.mark.parametrize("kind", FLOODS)
def test_small_chunks_behind_a_flood_are_all_in_the_next_batch(make_ledger, monkeypatch, kind):
    monkeypatch.setattr(ledger_module, "MAX_BATCH_CHUNKS", MAX_CHUNKS)
    ledger = make_ledger(log_batch_size=MAX_ROWS, batch_max_bytes=MAX_BYTES)
    for _ in range(200):
        accept(ledger, "flood", **FLOODS[kind])
    small = {accept(ledger, f"small-{number}") for number in range(MANY)}

    batch = ledger.seal()

    assert small <= set(batch.chunk_ids)
    assert len(batch.chunk_ids) > MANY, "the batch is filled with the flood"


@pytest.mark.parametrize("kind", FLOODS)
def test_a_batch_is_filled_whoever_sends(make_ledger, monkeypatch, kind):
    monkeypatch.setattr(ledger_module, "MAX_BATCH_CHUNKS", MAX_CHUNKS)
    ledger = make_ledger(log_batch_size=MAX_ROWS, batch_max_bytes=MAX_BYTES)
    for number in range(200):
        accept(ledger, f"w{number % 3}", **FLOODS[kind])

    *full, _ = [len(batch.chunk_ids) for batch in drain(ledger)]

    assert set(full) == {{"rows": 10, "bytes": 10, "chunks": MAX_CHUNKS}[kind]}


def test_two_floods_get_equal_shares_whatever_fills_their_batches(make_ledger):
    ledger = make_ledger(log_batch_size=MAX_ROWS, batch_max_bytes=MAX_BYTES)
    long = {accept(ledger, "long", size=MAX_BYTES // 10) for _ in range(100)}
    for _ in range(100):
        accept(ledger, "many", records=MAX_ROWS // 10)

    taken = [chunk_id in long for _ in range(10) for chunk_id in ledger.seal().chunk_ids]

    assert abs(2 * sum(taken) - len(taken)) <= SHARE


def test_a_workspace_gets_its_turn_though_others_come_back_before_each(make_ledger):
    ledger = make_ledger(log_batch_size=MAX_ROWS)
    busy = [f"a{number}" for number in range(2 * SHARE)]
    for name in busy:
        accept(ledger, name, records=MAX_ROWS // SHARE)
    waits = accept(ledger, "z")

    for _ in range(2 * SHARE):
        batch = ledger.seal()
        if waits in batch.chunk_ids:
            break
        workspaces = {chunk.header.workspace_id for chunk in ledger.fetch(batch.chunk_ids)}
        ledger.settle(batch)
        for name in workspaces:
            accept(ledger, name, records=MAX_ROWS // SHARE)

    assert waits in batch.chunk_ids


def test_a_workspace_gets_its_turn_though_new_ones_come_before_each(make_ledger):
    ledger = make_ledger(log_batch_size=MAX_ROWS)
    names = (f"a{number}" for number in itertools.count())
    sealed = set()

    def send_from_new_ones():
        for _ in range(SHARE):
            accept(ledger, next(names), records=MAX_ROWS // SHARE)

    send_from_new_ones()
    waits = accept(ledger, "z")
    for _ in range(SHARE):
        send_from_new_ones()
        sealed.update(ledger.seal().chunk_ids)

    assert waits in sealed


sent = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.integers(0, 12),
        st.sampled_from([1, MAX_BYTES // 10, MAX_BYTES]),
    ),
    max_size=60,
)


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(sent)
def test_each_workspace_s_chunks_stay_in_order_and_come_once(make_ledger, valkey, plan):
    valkey.client.flushall()
    ledger = make_ledger(log_batch_size=10, batch_max_bytes=MAX_BYTES)
    expected = defaultdict(list)
    for workspace, records, size in plan:
        chunk_id = accept(ledger, workspace, records=records, size=size)
        expected[workspace].append(chunk_id)

    found = defaultdict(list)
    for batch in drain(ledger):
        for workspace, chunk_ids in expected.items():
            found[workspace] += [each for each in batch.chunk_ids if each in chunk_ids]

    assert found == expected
    assert ledger.waiting.stats().waiting_chunks == 0
    left = {key for pattern in ("queue", "turns") for key in valkey.client.keys(f"*{pattern}:*")}
    assert not left


def as_older(client, chunk_id, workspace, *, knows_workspace):
    """Leave a chunk as an older version does: among the open ones alone."""
    client.zrem(f"sheaf:queue:logs:{workspace}", chunk_id)
    if not knows_workspace:
        client.hdel(f"sheaf:chunk:{chunk_id}", "workspace", "client")


@pytest.mark.parametrize("knows_workspace", [False, True], ids=["accepted", "replayed"])
def test_what_an_older_version_left_is_stored_beside_what_came_since(
    make_ledger, valkey, knows_workspace
):
    ledger = make_ledger(log_batch_size=10)
    accepted = []
    for number in range(60):
        workspace = f"w{number % 4}"
        accepted.append(accept(ledger, workspace))
        if number % 3:
            as_older(valkey.client, accepted[-1], workspace, knows_workspace=knows_workspace)

    stored = [chunk_id for batch in drain(ledger) for chunk_id in batch.chunk_ids]

    assert sorted(stored) == sorted(accepted)


def test_what_an_older_version_sealed_is_not_sealed_again(make_ledger, valkey):
    ledger = make_ledger(log_batch_size=10)
    accepted = [accept(ledger, f"w{number % 2}") for number in range(20)]
    elsewhere = accepted[:13]
    valkey.client.zrem("sheaf:open:logs", *elsewhere)
    valkey.client.hincrby("sheaf:waiting", "open:logs", -len(elsewhere))
    # Some of it is stored by now.
    valkey.client.delete(*(f"sheaf:chunk:{chunk_id}" for chunk_id in elsewhere[:5]))

    stored = [chunk_id for batch in drain(ledger) for chunk_id in batch.chunk_ids]

    assert sorted(stored) == sorted(accepted[13:])
