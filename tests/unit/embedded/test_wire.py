"""The native protocol's primitives, compared with clickhouse-driver's."""

import io

import pytest
from clickhouse_driver.bufferedreader import BufferedReader
from clickhouse_driver.reader import read_binary_str
from clickhouse_driver.streams.compressed import CompressedBlockInputStream
from clickhouse_driver.varint import read_varint, write_varint
from hypothesis import example, given
from hypothesis import strategies as st

from embedded import wire
from embedded.errors import Code, ServerError


def stream_of(raw, size=1 << 30):
    """A stream that gets so many bytes at a time."""
    source = io.BytesIO(raw)
    return wire.Stream(lambda: source.read(size))


numbers = st.integers(0, 2**64 - 1)
sizes = st.integers(1, 70_000)


@given(numbers, sizes)
def test_a_varint_is_read_as_it_was_written(number, size):
    assert stream_of(wire.varint(number), size).varint() == number


@given(numbers)
def test_a_varint_is_written_and_read_as_the_driver_does(number):
    sink = io.BytesIO()
    write_varint(number, sink)
    assert wire.varint(number) == sink.getvalue()
    assert read_varint(stream_of(wire.varint(number))) == number


@given(st.integers(10, 100))
def test_a_varint_that_does_not_end_is_refused(count):
    with pytest.raises(ServerError) as caught:
        stream_of(b"\xff" * count).varint()
    assert caught.value.code == Code.CANNOT_READ_ALL_DATA


@given(st.lists(st.binary(max_size=300), max_size=50), st.integers(1, 400))
def test_strings_are_read_as_they_were_written_wherever_the_pieces_are_cut(texts, size):
    raw = b"".join(wire.string(text) for text in texts)
    stream = stream_of(raw, size)
    assert [stream.string() for _ in texts] == texts


@given(st.text(max_size=100))
@example("\udcff")
def test_text_is_utf_8_and_other_bytes_survive(text):
    starts_with_surrogate = "\ud800" <= text[:1] <= "\udbff"
    raw = text.encode("utf-8", "surrogatepass" if starts_with_surrogate else "replace")

    found = stream_of(wire.string(raw)).text()

    assert found.encode("utf-8", "surrogateescape") == raw
    assert read_binary_str(stream_of(wire.string("ä"))) == "ä"


def test_a_string_that_is_too_long_is_refused_before_it_is_read():
    with pytest.raises(ServerError):
        stream_of(wire.varint(2**40)).string()


def test_the_end_in_the_middle_of_anything_is_an_end_of_file():
    for raw, read in (
        (b"", wire.Stream.byte),
        (b"\x80", wire.Stream.varint),
        (b"\x05abc", wire.Stream.string),
        (b"abc", lambda stream: stream.skip(4)),
        (b"\x03abc\x03ab", lambda stream: stream.skip_strings(2)),
    ):
        with pytest.raises(EOFError):
            read(stream_of(raw))


@given(st.binary(max_size=2000), st.data(), st.integers(1, 100))
def test_what_is_noted_is_exactly_what_was_read(raw, data, size):
    begin = data.draw(st.integers(0, len(raw)))
    end = data.draw(st.integers(begin, len(raw)))
    stream = stream_of(raw, size)

    stream.skip(begin)
    stream.note()
    stream.skip(end - begin)

    assert stream.noted() == raw[begin:end]
    assert bytes(stream.read(len(raw) - end)) == raw[end:]


@pytest.mark.parametrize("method", ["LZ4", "LZ4HC", "ZSTD", "NONE", "anything else"])
@given(st.lists(st.binary(min_size=1, max_size=5000), min_size=1, max_size=3), st.integers(1, 999))
def test_frames_are_opened_to_what_was_put_in(method, bodies, size):
    framed = b"".join(wire.frame(body, method) for body in bodies)
    whole = b"".join(bodies)
    stream = wire.decompressed(stream_of(framed, size))
    assert bytes(stream.read(len(whole))) == whole


@given(st.binary(min_size=1, max_size=5000))
def test_the_driver_opens_our_frames(body):
    source = stream_of(wire.frame(body, "LZ4"))
    assert CompressedBlockInputStream(source, None).read_block() == body


@given(st.binary(min_size=1, max_size=200), st.data())
def test_a_frame_with_a_wrong_bit_is_refused(body, data):
    framed = bytearray(wire.frame(body, "LZ4"))
    place = data.draw(st.integers(0, len(framed) - 1))
    bit = data.draw(st.integers(0, 7))
    framed[place] ^= 1 << bit
    with pytest.raises((ServerError, EOFError)):
        wire.decompressed(stream_of(bytes(framed))).read(len(body))


def test_a_method_that_is_none_is_refused():
    # A frame is a checksum of 16 bytes, a byte for the method, and the rest.
    framed = wire.frame(b"abc", "NONE")
    unknown_method = b"\x55" + framed[17:]
    stream = stream_of(wire._checksum(unknown_method) + unknown_method)

    with pytest.raises(ServerError) as caught:
        wire.decompressed(stream).byte()
    assert caught.value.code == Code.UNKNOWN_COMPRESSION_METHOD


def test_the_stream_is_a_reader_of_the_driver():
    assert isinstance(stream_of(b""), BufferedReader)
