import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.commit.group import Group, Receipt, Submission
from ingest.convert.piece import Piece, Pieces, request_id
from ingest.status import Reason, RefusedError, unavailable
from ingest.tenant import Tenant
from tests.integration.made_logs import NOON, payload

ACME = Tenant("acme", "web")


def piece(text, times=None):
    """A piece with one log record for each letter; a time of 0 is none."""
    content = payload(list(text), times or itertools.repeat(NOON))
    return Piece(ACME, "logs", content, len(text), request_id(ACME, "logs", content))


def keyed(key, body):
    [made] = Pieces((piece(body),)).keyed(key, body.encode())
    return made


def waiting(*requests):
    """The group of some requests, each a list of pieces, and the outcomes of each request."""
    outcomes = [[] for _ in requests]
    pairs = []
    for pieces, of_request in zip(requests, outcomes, strict=True):
        submission = Submission(len(pieces), of_request.append)
        pairs += [(each, submission) for each in pieces]
    return Group(pairs), outcomes


def settle_completed(group):
    for submission in group.completed():
        submission.settle(submission.receipt)


def test_a_request_is_told_when_its_last_piece_is_placed():
    a, b = piece("a"), piece("b")
    group, [outcomes] = waiting([a, b])

    group.place(a.request_id, "chunk-1")
    assert outcomes == []
    assert group.pieces == [b]

    group.place(b.request_id, "chunk-2")
    assert outcomes == []

    settle_completed(group)
    assert outcomes == [Receipt(("chunk-1", "chunk-2"), "redis")]
    assert not group


def test_equal_requests_are_one_piece_and_all_are_told():
    a = piece("a")
    group, outcomes = waiting([a], [piece("a")], [piece("a")])
    assert len(group.pieces) == 1

    group.place(a.request_id, "chunk", "db")
    assert outcomes == [[Receipt(("chunk",), "db")]] * 3


def test_a_request_with_a_failed_piece_is_told_once_and_only_of_the_failure():
    a, b = piece("a"), piece("b")
    refusal = unavailable("later")

    for placed, failed in ((a, b), (b, a)):
        group, [outcomes] = waiting([a, b])
        group.place(placed.request_id, "chunk")
        group.fail([failed.request_id], refusal)
        group.fail_all(refusal)
        assert outcomes == [refusal]

    group, [outcomes] = waiting([a, b])
    group.fail([a.request_id], refusal)
    group.place(b.request_id, "chunk")
    assert outcomes == [refusal]


def test_failing_all_spares_those_that_are_placed():
    a, b = piece("a"), piece("b")
    group, [of_a, of_b] = waiting([a], [b])
    group.place(a.request_id, "chunk")
    refusal = unavailable("later")

    group.fail_all(refusal)

    assert of_a == [Receipt(("chunk",), "redis")]
    assert of_b == [refusal]
    assert not group


def test_an_unknown_request_concerns_nobody():
    a = piece("a")
    group, [outcomes] = waiting([a])
    group.place("elsewhere", "chunk")
    group.fail(["elsewhere"], unavailable("later"))
    assert outcomes == []
    assert group.pieces == [a]


def test_a_receipt_is_short_whatever_it_stands_for():
    assert str(Receipt((), "redis")) == ""
    assert str(Receipt(("a", "a"), "redis")) == "a"

    many = tuple(f"{number:032x}" for number in range(2000))
    receipt = Receipt(many, "redis")
    assert len(str(receipt)) == 32
    assert receipt.several == many
    assert str(Receipt(many[::-1], "db")) == str(receipt)

    of_fewer = Receipt(many[1:], "redis")
    assert len({str(receipt), str(of_fewer), *many}) == 2002


def test_a_request_is_stored_already_only_if_all_of_it_is():
    for backends, expected in {
        ("db", "redis"): "redis",
        ("redis", "db"): "redis",
        ("db",): "db",
    }.items():
        submission = Submission(len(backends), None)
        for each in backends:
            is_complete = submission.placed("chunk", each)
        assert is_complete
        assert submission.receipt.backend == expected


def test_equal_requests_without_times_are_as_many_events():
    same = piece("ab", [0, 0])
    group, outcomes = waiting([same], [same], [same])
    pieces = group.pieces

    assert len({each.request_id for each in pieces}) == 3
    assert {each.payload for each in pieces} == {same.payload}

    for number, each in enumerate(pieces):
        group.place(each.request_id, str(number))
    assert outcomes == [[Receipt((str(number),), "redis")] for number in range(3)]


def test_of_equal_requests_only_what_carries_no_time_is_repeated():
    mixed = piece("abc", [NOON, 0, 0])
    group, [of_first, of_second] = waiting([mixed], [mixed])
    whole, rest = group.pieces

    assert (whole, rest.records) == (mixed, 2)
    assert rest.payload == payload(["b", "c"], [0, 0])

    group.place(whole.request_id, "whole")
    assert (of_first, of_second) == ([Receipt(("whole",), "redis")], [])

    group.place(rest.request_id, "rest")
    settle_completed(group)
    assert of_second == [Receipt(("whole", "rest"), "redis")]


@given(st.lists(st.sampled_from([0, NOON]), min_size=1, max_size=4), st.integers(1, 3))
def test_a_known_request_is_answered_with_its_chunk_and_what_carries_no_time_is_kept(times, count):
    timeless = times.count(0)
    known = piece("abcd"[: len(times)], times)
    group, outcomes = waiting(*[[known]] * count)

    group.repeat(known.request_id, "known")

    fresh = group.pieces
    assert sum(each.records for each in fresh) == count * timeless
    assert known.request_id not in {each.request_id for each in fresh}

    for each in fresh:
        group.place(each.request_id, each.request_id)
    settle_completed(group)

    chunks = []
    for [receipt] in outcomes:
        chunks += receipt.chunk_ids
    assert chunks.count("known") == (count if timeless < len(times) else 0)
    assert len(set(chunks) - {"known"}) == len(fresh)


def test_a_request_with_a_key_is_its_own_repetition_whatever_it_carries():
    first, second = keyed("k", "a"), keyed("k", "a")
    [timeless] = Pieces((piece("a", [0]),)).keyed("k", b"a").pieces
    assert timeless.request_id == first.request_id

    group, outcomes = waiting([first], [second], [timeless])
    assert len(group.pieces) == 1

    group.repeat(first.request_id, "known", first.body)
    assert not group
    assert outcomes == [[Receipt(("known",), "redis")]] * 3


@pytest.mark.parametrize("where", ["in the group", "known"])
def test_a_key_with_another_body_is_refused_and_nothing_of_it_is_stored(where):
    first, other = keyed("k", "a"), keyed("k", "b")
    neighbour, more = piece("n"), piece("m")
    if where == "known":
        group, [of_other, of_neighbour] = waiting([more, other], [neighbour])
        group.repeat(other.request_id, "known", first.body)
    else:
        requests = [first], [more, other], [neighbour]
        group, [of_first, of_other, of_neighbour] = waiting(*requests)
        assert of_first == []
        group.place(first.request_id, "chunk")
        assert of_first == [Receipt(("chunk",), "redis")]

    [refusal] = of_other
    assert isinstance(refusal, RefusedError)
    assert (refusal.reason, refusal.field) == (Reason.WRONG_FIELD, "Idempotency-Key")
    assert not refusal.answer.retryable
    assert group.pieces == [neighbour]

    group.place(neighbour.request_id, "chunk")
    assert of_neighbour == [Receipt(("chunk",), "redis")]


def test_another_body_under_a_key_is_noticed_however_it_is_cut():
    one, two = piece("a"), piece("b")
    elsewhere = Piece(Tenant("other", "web"), "logs", b"", 1, "x")

    of_one = Pieces((one,)).keyed("k", b"one")
    of_both = Pieces((elsewhere, one, two)).keyed("k", b"both")

    ids = {each.request_id for each in of_both}
    assert of_one.pieces[0].request_id in ids
    assert len(ids) == 3
    bodies = {each.body for each in of_one}
    assert bodies.isdisjoint(each.body for each in of_both)
