"""Where a request ends, whatever pieces it arrives in."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.arrival import MOST_HEAD, Arrival

MOST = 10_000
HEAD = b"POST /x HTTP/1.1\r\nHost: x\r\n"
NEXT = b"GET /next HTTP/1.1\r\n\r\n"

bodies = st.lists(st.binary(min_size=1, max_size=300), max_size=5)
cuts = st.lists(st.integers(min_value=1, max_value=400), min_size=1, max_size=30)


def counted(pieces):
    body = b"".join(pieces)
    return HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body


def chunked(pieces):
    chunks = b"".join(b"%x;a=b\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    last_chunk = b"0\r\nX-A: b\r\n\r\n"
    return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + last_chunk


def feed(arrival, content, sizes):
    """Feed pieces of these sizes in turn, and return what follows a complete request."""
    fed = 0
    for size in itertools.cycle(sizes):
        if fed >= len(content):
            return None
        piece = content[fed : fed + size]
        fed += len(piece)
        if arrival.feed(piece):
            return arrival.rest + content[fed:]
    return None


@given(st.sampled_from([counted, chunked]), bodies, cuts)
def test_a_request_ends_where_it_ends_and_the_next_one_begins(made, pieces, sizes):
    request, arrival = made(pieces), Arrival(MOST)

    rest = feed(arrival, request + NEXT, sizes)

    assert rest == NEXT
    assert arrival.head + b"".join(arrival.body) == request
    assert not arrival.is_cut
    assert arrival.problem is None


@given(st.sampled_from([counted, chunked]), bodies, cuts, st.data())
def test_a_part_of_a_request_is_not_complete(made, pieces, sizes, data):
    request, arrival = made(pieces), Arrival(MOST)
    end = data.draw(st.integers(min_value=0, max_value=len(request) - 1))
    part = request[:end]

    rest = feed(arrival, part, sizes)

    assert rest is None
    assert arrival.size == len(part)


@pytest.mark.parametrize(
    "content",
    [
        b"a" * (MOST_HEAD + 1),
        b"GET / HTTP/1.1\nHost: x\n\n",
        HEAD + b"Content-Length: 10001\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2711\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 4000,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 5000,
    ],
)
def test_what_would_never_end_is_complete(content):
    arrival = Arrival(MOST)
    assert arrival.feed(content)


def test_a_body_that_is_awaited_is_asked_for_and_no_other():
    awaited = Arrival(MOST)
    awaited.feed(HEAD + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
    assert awaited.expects

    without = Arrival(MOST)
    without.feed(HEAD + b"Expect: 100-continue\r\n\r\n")
    assert without.is_complete
    assert not without.expects
