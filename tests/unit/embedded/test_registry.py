"""The registry of running queries."""

import pytest

from embedded.errors import Code, ServerError
from embedded.registry import Registry, RunningQuery


def query(query_id="", **fields):
    return RunningQuery(
        query_id=query_id,
        text=b"SELECT 1",
        user="default",
        interface=1,
        address=("127.0.0.1", 5),
        database="default",
        **fields,
    )


def test_a_query_is_in_the_registry_while_it_runs():
    registry, mine = Registry(), query("a")
    with registry.running(mine):
        assert registry.snapshot() == [mine]
        assert not mine.ended.is_set()
    assert registry.snapshot() == []
    assert mine.ended.is_set()


def test_a_query_that_fails_leaves_the_registry():
    registry, mine = Registry(), query("a")
    with pytest.raises(ValueError, match="x"), registry.running(mine):
        raise ValueError("x")
    assert registry.snapshot() == []
    assert mine.ended.is_set()


def test_a_query_without_an_id_gets_one_of_its_own():
    registry = Registry()
    with registry.running(query()) as one, registry.running(query()) as other:
        assert len({one.query_id, other.query_id, ""}) == 3


def test_a_second_query_of_the_same_id_is_refused_and_the_first_goes_on():
    registry, mine = Registry(), query("a")
    with registry.running(mine):
        with pytest.raises(ServerError) as caught, registry.running(query("a")):
            pass
        assert caught.value.code == 216
        assert registry.snapshot() == [mine]


@pytest.mark.parametrize(
    "reason",
    [Code.QUERY_WAS_CANCELLED, Code.QUERY_WAS_CANCELLED_BY_CLIENT, Code.ABORTED],
)
def test_a_query_that_was_cancelled_says_why(reason):
    mine = query()
    mine.check()

    mine.cancel(reason)
    mine.cancel(Code.TIMEOUT_EXCEEDED)

    with pytest.raises(ServerError) as caught:
        mine.check()
    assert caught.value.code == reason


def test_a_query_whose_time_is_up_says_so():
    mine = query(limit=1e-9)
    assert mine.expired
    with pytest.raises(ServerError) as caught:
        mine.check()
    assert caught.value.code == 159


def test_a_query_without_a_limit_never_expires():
    assert not query().expired


def test_what_runs_is_interrupted_but_not_what_comes_after_it():
    killed = []
    registry, mine = Registry(), query("a", tag="t;", unblock=lambda: killed.append("unblock"))
    with registry.running(mine):
        mine.interrupt(killed.append)
        assert killed == ["t;", "unblock"]

    mine.interrupt(killed.append)
    assert killed == ["t;", "unblock"]


def test_a_query_that_does_not_stop_is_cut_off_after_a_while(monkeypatch):
    cut = []
    mine = query(abort=lambda: cut.append(1))

    mine.cancel()
    mine.interrupt(cut.append)
    assert cut == []

    monkeypatch.setattr(mine, "_stopped_at", mine._stopped_at - 10)
    mine.interrupt(cut.append)
    assert cut == [1]


def test_a_closed_registry_takes_no_queries_and_waits_for_those_it_has():
    registry, mine = Registry(), query("a")
    with registry.running(mine):
        registry.close()
        with pytest.raises(ServerError) as caught, registry.running(query("b")):
            pass
        assert caught.value.code == Code.ABORTED
        assert registry.wait(0) == [mine]

    assert registry.wait(60) == []
