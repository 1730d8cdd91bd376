import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.group import Group, Receipt, Submission
from ingest.piece import Piece, Pieces, request_id
from ingest.status import Reason, RefusedError, unavailable
from ingest.tenant import Tenant
from tests.integration.made_logs import NOON, payload

ACME = Tenant("acme", "web")


def piece(text, times=None):
    """A piece of one log record a letter; 0 is no time."""
    content = payload(list(text), times or itertools.repeat(NOON))
    return Piece(ACME, "logs", content, len(text), request_id(ACME, "logs", content))


def keyed(key, body):
    [made] = Pieces((piece(body),)).keyed(key, body.encode())
    return made


def waiting(*requests):
    """Submissions of requests, each a list of pieces, and what each is told."""
    told = [[] for _ in requests]
    pairs = []
    for pieces, outcome in zip(requests, told, strict=True):
        submission = Submission(len(pieces), outcome.append)
        pairs += [(each, submission) for each in pieces]
    return Group(pairs), told


def settle_completed(group):
    for submission in group.completed():
        submission.settle(submission.receipt)


def test_a_request_is_told_when_its_last_piece_is_placed():
    a, b = piece("a"), piece("b")
    group, [told] = waiting([a, b])
    group.place(a.request_id, "chunk-1")
    assert told == []
    assert group.pieces == [b]
    group.place(b.request_id, "chunk-2")
    assert told == []
    settle_completed(group)
    assert told == [Receipt(("chunk-1", "chunk-2"), "redis")]
    assert not group


def test_equal_requests_are_one_piece_and_all_are_told():
    a = piece("a")
    group, told = waiting([a], [piece("a")], [piece("a")])
    assert len(group.pieces) == 1
    group.place(a.request_id, "chunk", "db")
    assert told == [[Receipt(("chunk",), "db")]] * 3


def test_a_request_with_a_failed_piece_is_told_once_and_only_of_the_failure():
    a, b = piece("a"), piece("b")
    for first, second in ((a, b), (b, a)):
        group, [told] = waiting([a, b])
        refusal = unavailable("later")
        group.place(first.request_id, "chunk")
        group.fail([second.request_id], refusal)
        group.fail_all(refusal)
        assert told == [refusal]
    group, [told] = waiting([a, b])
    group.fail([a.request_id], refusal)
    group.place(b.request_id, "chunk")
    assert told == [refusal]


def test_failing_all_spares_those_that_are_placed():
    a, b = piece("a"), piece("b")
    group, [told_a, told_b] = waiting([a], [b])
    group.place(a.request_id, "chunk")
    refusal = unavailable("later")
    group.fail_all(refusal)
    assert told_a == [Receipt(("chunk",), "redis")]
    assert told_b == [refusal]
    assert not group


def test_an_unknown_request_concerns_nobody():
    a = piece("a")
    group, [told] = waiting([a])
    group.place("elsewhere", "chunk")
    group.fail(["elsewhere"], unavailable("later"))
    assert told == []
    assert group.pieces == [a]


def test_a_receipt_is_short_whatever_it_stands_for():
    assert str(Receipt((), "redis")) == ""
    assert str(Receipt(("a", "a"), "redis")) == "a"
    many = tuple(f"{number:032x}" for number in range(2000))
    receipt = Receipt(many, "redis")
    assert len(str(receipt)) == 32
    assert receipt.several == many
    assert str(Receipt(many[::-1], "db")) == str(receipt)
    assert len({str(receipt), str(Receipt(many[1:], "redis")), *many}) == 2002


def test_a_request_is_stored_already_only_if_all_of_it_is():
    for backends, told in {
        ("db", "redis"): "redis",
        ("redis", "db"): "redis",
        ("db",): "db",
    }.items():
        submission = Submission(len(backends), None)
        assert [submission.placed("chunk", each) for each in backends][-1]
        assert submission.receipt.backend == told


def test_equal_requests_without_times_are_as_many_events():
    same = piece("ab", [0, 0])
    group, told = waiting([same], [same], [same])
    pieces = group.pieces
    assert len({each.request_id for each in pieces}) == 3
    assert {each.payload for each in pieces} == {same.payload}
    for number, each in enumerate(pieces):
        group.place(each.request_id, str(number))
    assert told == [[Receipt((str(number),), "redis")] for number in range(3)]


def test_of_equal_requests_only_what_carries_no_time_is_repeated():
    mixed = piece("abc", [NOON, 0, 0])
    group, told = waiting([mixed], [mixed])
    whole, rest = group.pieces
    assert (whole, rest.records) == (mixed, 2)
    assert rest.payload == payload(["b", "c"], [0, 0])
    group.place(whole.request_id, "whole")
    assert told == [[Receipt(("whole",), "redis")], []]
    group.place(rest.request_id, "rest")
    settle_completed(group)
    assert told[1] == [Receipt(("whole", "rest"), "redis")]


@given(st.lists(st.sampled_from([0, NOON]), min_size=1, max_size=4), st.integers(1, 3))
def test_a_known_request_is_answered_with_its_chunk_and_what_carries_no_time_is_kept(times, count):
    known = piece("abcd"[: len(times)], times)
    group, told = waiting(*[[known]] * count)
    group.repeat(known.request_id, "known")
    fresh = group.pieces
    timeless = times.count(0)
    assert sum(each.records for each in fresh) == count * timeless
    assert known.request_id not in {each.request_id for each in fresh}
    for each in fresh:
        group.place(each.request_id, each.request_id)
    settle_completed(group)
    receipts = [outcome.chunk_ids for [outcome] in told]
    chunks = [chunk for chunk_ids in receipts for chunk in chunk_ids]
    assert chunks.count("known") == (count if timeless < len(times) else 0)
    assert len(set(chunks) - {"known"}) == len(fresh)


def test_a_request_with_a_key_is_its_own_repetition_whatever_it_carries():
    same = [keyed("k", "a"), keyed("k", "a")]
    timeless = Pieces((piece("a", [0]),)).keyed("k", b"a").pieces
    assert timeless[0].request_id == same[0].request_id
    group, told = waiting(*[[each] for each in same], [*timeless])
    assert len(group.pieces) == 1
    group.repeat(same[0].request_id, "known", same[0].body)
    assert not group
    assert told == [[Receipt(("known",), "redis")]] * 3


@pytest.mark.parametrize("where", ["in the group", "known"])
def test_a_key_with_another_body_is_refused_and_nothing_of_it_is_stored(where):
    first, other = keyed("k", "a"), keyed("k", "b")
    neighbour, more = piece("n"), piece("m")
    if where == "known":
        group, [told, fine] = waiting([more, other], [neighbour])
        group.repeat(other.request_id, "known", first.body)
    else:
        group, [kept, told, fine] = waiting([first], [more, other], [neighbour])
        assert kept == []
        group.place(first.request_id, "chunk")
        assert kept == [Receipt(("chunk",), "redis")]
    [refusal] = told
    assert isinstance(refusal, RefusedError)
    assert (refusal.reason, refusal.field) == (Reason.WRONG_FIELD, "Idempotency-Key")
    assert not refusal.answer.retryable
    assert group.pieces == [neighbour]
    group.place(neighbour.request_id, "chunk")
    assert fine == [Receipt(("chunk",), "redis")]


def test_another_body_under_a_key_is_noticed_however_it_is_cut():
    one, two = piece("a"), piece("b")
    elsewhere = Piece(Tenant("other", "web"), "logs", b"", 1, "x")
    of_one = Pieces((one,)).keyed("k", b"one")
    of_both = Pieces((elsewhere, one, two)).keyed("k", b"both")
    assert of_one.pieces[0].request_id in {each.request_id for each in of_both}
    assert len({each.request_id for each in of_both}) == 3
    assert {each.body for each in of_one}.isdisjoint(each.body for each in of_both)
