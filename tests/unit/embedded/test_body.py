"""The body of an HTTP request is read whole or not at all."""

import email.message
import gzip
import io
import zlib

import lz4.frame
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from embedded.body import Body
from embedded.errors import ServerError

ENCODINGS = {
    "identity": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.compress,
    "lz4": lz4.frame.compress,
}


class Trickle(io.RawIOBase):
    """Gives a few bytes at a time, as a slow network does."""

    def __init__(self, raw, sizes):
        self._raw = raw
        self._sizes = sizes

    def readable(self):
        return True

    def readinto(self, buffer):
        most = self._sizes.pop() if self._sizes else 1000
        size = min(most, len(buffer), len(self._raw))
        buffer[:size] = self._raw[:size]
        self._raw = self._raw[size:]
        return size


def body_of(raw, sizes=(), **headers):
    message = email.message.Message()
    for name, text in headers.items():
        message[name.replace("_", "-")] = str(text)
    return Body(io.BufferedReader(Trickle(raw, list(sizes))), message)


def chunked(raw, sizes):
    """The chunks of a chunked body, of these sizes and one for the rest."""
    out, start = b"", 0
    for size in [*sizes, len(raw)]:
        piece = raw[start : start + size]
        if piece:
            out += b"%x;name=value\r\n%b\r\n" % (len(piece), piece)
        start += size
    return out + b"0\r\nTrailer: x\r\n\r\n"


contents = st.binary(max_size=3000)
pieces = st.lists(st.integers(1, 400), max_size=10)
encodings = st.sampled_from(sorted(ENCODINGS))


@given(contents, pieces, encodings)
def test_a_body_with_a_length_is_read_to_it_and_no_further(content, sizes, encoding):
    packed = ENCODINGS[encoding](content)
    headers = {"Content_Length": len(packed), "Content_Encoding": encoding}
    body = body_of(packed + b"GET /next", sizes, **headers)

    assert b"".join(body) == content
    assert body.drain(0)
    assert body._source.read() == b"GET /next"


@given(contents, pieces, pieces, encodings)
def test_a_chunked_body_is_put_together(content, sizes, cuts, encoding):
    packed = chunked(ENCODINGS[encoding](content), cuts)
    headers = {"Transfer_Encoding": "chunked", "Content_Encoding": encoding}
    body = body_of(packed + b"next", sizes, **headers)

    assert b"".join(body) == content
    assert body.drain(0)
    assert body._source.read() == b"next"


@given(st.binary(min_size=1, max_size=300), encodings, st.data())
def test_a_body_that_is_cut_off_raises(content, encoding, data):
    packed = ENCODINGS[encoding](content)
    cut = data.draw(st.integers(0, len(packed) - 1))
    body = body_of(packed[:cut], Content_Length=len(packed), Content_Encoding=encoding)

    with pytest.raises(ServerError):
        b"".join(body)
    assert not body.drain(1 << 20)


@given(st.binary(min_size=1, max_size=300), pieces, st.data())
def test_a_chunked_body_that_is_cut_off_raises(content, cuts, data):
    packed = chunked(content, cuts)
    cut = data.draw(st.integers(0, len(packed) - 1))
    body = body_of(packed[:cut], Transfer_Encoding="chunked")
    with pytest.raises(ServerError):
        b"".join(body)


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "lz4"])
@given(st.binary(min_size=1, max_size=300), st.data())
def test_a_whole_body_whose_frame_is_cut_off_raises(encoding, content, data):
    packed = ENCODINGS[encoding](content)
    cut = data.draw(st.integers(1, len(packed) - 1))
    body = body_of(packed[:cut], Content_Length=cut, Content_Encoding=encoding)
    with pytest.raises(ServerError):
        b"".join(body)


@given(st.lists(contents, min_size=1, max_size=3), st.sampled_from(["gzip", "zstd", "lz4"]))
def test_frames_behind_each_other_are_one_body(parts, encoding):
    packed = b"".join(map(ENCODINGS[encoding], parts))
    body = body_of(packed, Content_Length=len(packed), Content_Encoding=encoding)
    assert b"".join(body) == b"".join(parts)


@given(contents, st.integers(0, 4000), st.integers(0, 4000))
def test_what_is_taken_and_given_back_comes_again(content, limit, keep):
    body = body_of(content, Content_Length=len(content))

    taken = body.take(limit)
    assert len(taken) >= min(limit, len(content))

    given_back, untouched = taken[keep:], content[len(taken) :]
    body.give_back(given_back)
    assert b"".join(body) == given_back + untouched


@pytest.mark.parametrize(
    ("raw", "headers"),
    [
        (b"", {"Content_Length": "many"}),
        (b"", {"Content_Length": "-1"}),
        (b"abc", {"Content_Length": 3, "Content_Encoding": "br"}),
        (b"abc", {"Content_Length": 3, "Content_Encoding": "zstd"}),
        (b"abc", {"Content_Length": 3, "Content_Encoding": "gzip"}),
        (b"xyz\r\nabc", {"Transfer_Encoding": "chunked"}),
        (b"-3\r\nabc", {"Transfer_Encoding": "chunked"}),
        (b"-3\r\n0\r\n\r\n", {"Transfer_Encoding": "chunked"}),
        (b"+3\r\nabc\r\n0\r\n\r\n", {"Transfer_Encoding": "chunked"}),
        (b"0x3\r\nabc\r\n0\r\n\r\n", {"Transfer_Encoding": "chunked"}),
        (b"1_0\r\n0123456789abcdef\r\n0\r\n\r\n", {"Transfer_Encoding": "chunked"}),
        (b"3\r\nabcXX\r\n0\r\n\r\n", {"Transfer_Encoding": "chunked"}),
        (b"3" * 5000, {"Transfer_Encoding": "chunked"}),
    ],
)
def test_a_body_that_makes_no_sense_is_refused(raw, headers):
    with pytest.raises(ServerError):
        b"".join(body_of(raw, **headers))


def test_a_request_without_a_length_has_no_body():
    assert b"".join(body_of(b"GET /next")) == b""


def test_a_rest_that_is_too_long_is_not_drained():
    assert not body_of(b"x" * 5000, Content_Length=5000).drain(100)
    assert body_of(b"x" * 5000, Content_Length=5000).drain(5000)
