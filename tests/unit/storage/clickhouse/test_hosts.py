import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.hosts import Host
from storage.clickhouse import hosts as module
from storage.clickhouse.errors import (
    NoAnswerInTimeError,
    NoConnectionInTimeError,
    OutcomeUnknownError,
    QueryRefusedError,
    UnavailableError,
    insert_error,
)
from storage.clickhouse.hosts import Hosts

A, B, C = (Host(name, 9000, 8123) for name in "abc")


class Calls:
    """Records which hosts are asked; those in `failing` raise their error."""

    def __init__(self, **failing):
        self.asked = []
        self.failing = failing

    def __call__(self, host):
        self.asked.append(host.name)
        if error := self.failing.get(host.name):
            raise error
        return host.name


def test_hosts_take_turns():
    hosts = Hosts([A, B, C])
    assert [hosts.ask(Calls(), repeatable=False) for _ in range(6)] == [*"abcabc"]


def test_near_hosts_are_asked_first_and_take_turns_unless_they_failed():
    hosts = Hosts([A, B, C])
    assert [hosts.ask(Calls(), repeatable=False, near=[B]) for _ in range(3)] == [*"bbb"]
    assert {hosts.ask(Calls(), repeatable=False, near=[B, C]) for _ in range(3)} == {*"bc"}
    assert hosts.ask(Calls(b=UnavailableError("x")), repeatable=False, near=[B]) in "ac"
    assert hosts.in_order([B])[-1] == B


@pytest.mark.parametrize("error", [UnavailableError("x"), NoConnectionInTimeError("x")])
def test_a_host_that_cannot_be_reached_is_stepped_around_even_for_an_insert(error):
    hosts, calls = Hosts([A, B, C]), Calls(a=error)
    assert [hosts.ask(calls, repeatable=False) for _ in range(4)] == [*"bbcb"]
    assert calls.asked.count("a") == 1


def test_a_broken_connection_is_repeated_only_if_the_request_may_be():
    lost = Calls(a=OutcomeUnknownError("x"))
    assert Hosts([A, B]).ask(lost, repeatable=True) == "b"

    hosts = Hosts([A, B])
    with pytest.raises(OutcomeUnknownError):
        hosts.ask(lost, repeatable=False)
    assert lost.asked == [*"aba"]
    assert hosts.in_order()[0] == B


@pytest.mark.parametrize(
    "error",
    [
        NoAnswerInTimeError("x"),
        QueryRefusedError("x", 60),
        UnavailableError("x", 252),
        OutcomeUnknownError("x", 319),
    ],
)
def test_an_answer_and_a_host_that_used_up_the_time_are_not_asked_again(error):
    calls = Calls(a=error)
    with pytest.raises(type(error)):
        Hosts([A, B]).ask(calls, repeatable=True)
    assert calls.asked == ["a"]


def test_if_all_fail_the_last_error_is_told():
    calls = Calls(a=UnavailableError("a is away"), b=UnavailableError("b is away"))
    with pytest.raises(UnavailableError, match="b is away"):
        Hosts([A, B]).ask(calls, repeatable=True)


def test_a_host_that_failed_is_asked_in_turn_again_after_a_while(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    hosts = Hosts([A, B])
    hosts.note_failure(A)
    assert [hosts.in_order()[0] for _ in range(3)] == [B, B, B]
    now[0] = 10.0
    assert {hosts.in_order()[0] for _ in range(2)} == {A, B}


@given(st.lists(st.sampled_from([A, B, C])), st.integers(0, 5))
def test_every_host_is_always_in_the_order_once(failed, turns):
    hosts = Hosts([A, B, C])
    for host in failed:
        hosts.note_failure(host)
    for _ in range(turns):
        order = hosts.in_order()
        assert sorted(order, key=str) == [A, B, C]
        if set(failed) != {A, B, C}:
            assert order[0] not in failed


def test_an_insert_that_missed_its_quorum_may_be_stored():
    assert isinstance(insert_error("Unknown quorum status", 319), OutcomeUnknownError)
