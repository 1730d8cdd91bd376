from ingest.group import Group, Receipt, Submission
from ingest.piece import Piece, request_id
from ingest.status import unavailable
from ingest.tenant import Tenant


def piece(text):
    tenant = Tenant("acme", "web")
    return Piece(tenant, "logs", text.encode(), 1, request_id(tenant, "logs", text.encode()))


def waiting(*requests):
    """Submissions of requests, each a list of pieces, and what each is told."""
    told = [[] for _ in requests]
    pairs = []
    for pieces, outcome in zip(requests, told, strict=True):
        submission = Submission(len(pieces), outcome.append)
        pairs += [(each, submission) for each in pieces]
    return Group(pairs), told


def test_a_request_is_told_when_its_last_piece_is_placed():
    a, b = piece("a"), piece("b")
    group, [told] = waiting([a, b])
    group.place(a.request_id, "chunk-1")
    assert told == []
    assert group.pieces == [b]
    group.place(b.request_id, "chunk-2")
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


def test_a_receipt_reads_as_its_chunks_each_once_in_order():
    assert str(Receipt(("b", "a", "b"), "redis")) == "b.a"
    assert str(Receipt((), "redis")) == ""
    mixed = Submission(2, (told := []).append)
    mixed.placed("a", "db")
    mixed.placed("b", "redis")
    assert told == [Receipt(("a", "b"), "db")]
