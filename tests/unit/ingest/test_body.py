import gzip
import random
import tracemalloc
import zlib

import lz4.frame
import pyarrow as pa
import pytest
import zstandard

from ingest.doors.http.body import decompress
from ingest.status import Reason, RefusedError

LIMIT = 1024 * 1024
NOISE = random.Random(3).randbytes(200_000)


def zstd(content):
    return zstandard.ZstdCompressor().compress(content)


def zstd_of_unknown_size(content):
    compressor = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    return compressor.compress(content) + compressor.flush()


def bare_deflate(content):
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(content) + compressor.flush()


def snappy(content):
    """A single block, as the Collector sends it."""
    return pa.compress(content, codec="snappy", asbytes=True)


def snappy_chunk(kind, data):
    """A chunk of the framed format: its kind, its length in three bytes, its data."""
    return bytes([kind]) + len(data).to_bytes(3, "little") + data


def framed_snappy(content):
    """As older Collectors send it, with a chunk to skip and one that is not compressed."""
    packed = b"\xff\x06\x00\x00sNaPpY" + snappy_chunk(0xFE, b"padding")
    for start in range(0, len(content), 65536):
        part = content[start : start + 65536]
        if start == 0:
            packed += snappy_chunk(1, b"csum" + part)
        else:
            packed += snappy_chunk(0, b"csum" + snappy(part))
    return packed


STREAMS = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", bare_deflate),
    ("zlib", zlib.compress),
    ("zstd", zstd),
    ("zstd", zstd_of_unknown_size),
    ("lz4", lz4.frame.compress),
]
SNAPPY = [
    ("snappy", snappy),
    ("snappy", framed_snappy),
    ("x-snappy-framed", framed_snappy),
]
PACKERS = STREAMS + SNAPPY


@pytest.mark.parametrize(("encoding", "pack"), PACKERS)
@pytest.mark.parametrize("content", [b"", b"x", bytes(100_000), NOISE], ids=len)
def test_each_encoding_gives_back_what_was_packed(encoding, pack, content):
    assert decompress(pack(content), encoding, LIMIT) == content


@pytest.mark.parametrize(("encoding", "pack"), STREAMS)
def test_members_one_after_the_other_are_joined(encoding, pack):
    members = [b"first", b"", NOISE, b"last"]
    packed = b"".join(pack(member) for member in members)
    assert decompress(packed, encoding, LIMIT) == b"".join(members)


def test_identity_is_passed_on():
    assert decompress(NOISE, "identity", LIMIT) == NOISE
    assert decompress(NOISE, "", LIMIT) == NOISE


@pytest.mark.parametrize(("encoding", "pack"), PACKERS)
def test_a_body_that_ends_too_early_is_refused_wherever_it_ends(encoding, pack):
    packed = pack(bytes(300) + NOISE[:5000])
    whole = len(packed)
    for end in [1, 2, 5, 12, 100, whole // 2, whole - 5, whole - 1]:
        with pytest.raises(RefusedError) as refused:
            decompress(packed[:end], encoding, LIMIT)
        assert refused.value.reason is Reason.INVALID
        assert refused.value.field == "Content-Encoding"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zlib", "zstd", "lz4", "snappy"])
@pytest.mark.parametrize(
    "raw", [b"hello", b"\x00" * 600, NOISE[:600], gzip.compress(b"x", mtime=0)[::-1]]
)
def test_bytes_of_another_kind_are_refused(encoding, raw):
    with pytest.raises(RefusedError, match=r"not match its Content-Encoding|cut off"):
        decompress(raw, encoding, LIMIT)


@pytest.mark.parametrize("encoding", ["br", "compress", "gzip, gzip", "utf-8", "x" * 99])
def test_an_unknown_encoding_is_refused_by_its_name(encoding):
    with pytest.raises(RefusedError) as refused:
        decompress(b"x", encoding, LIMIT)
    assert refused.value.reason is Reason.UNSUPPORTED
    assert encoding[:40] in refused.value.text
    assert "use gzip, deflate, zlib, zstd, snappy, lz4, identity" in refused.value.text


@pytest.mark.parametrize(
    ("encoding", "bomb"),
    [
        ("gzip", gzip.compress(bytes(10_000_000), mtime=0)),
        ("deflate", zlib.compress(bytes(10_000_000))),
        ("zstd", zstd(bytes(100_000_000))),
        ("zstd", zstd_of_unknown_size(bytes(100_000_000))),
        ("gzip", gzip.compress(bytes(600_000), mtime=0) * 20),
        ("lz4", lz4.frame.compress(bytes(3_000_000))),
        ("snappy", b"\xff\xff\xff\xff\x07" + snappy(bytes(1000))[2:]),
        ("snappy", framed_snappy(b"") + snappy_chunk(0, b"csum" + snappy(bytes(65536))) * 17),
    ],
    ids=["gzip", "deflate", "zstd", "unknown size", "members", "lz4", "snappy", "framed snappy"],
)
def test_a_bomb_is_refused_without_the_memory_it_asks_for(encoding, bomb):
    assert len(bomb) < LIMIT // 5

    tracemalloc.start()
    try:
        with pytest.raises(RefusedError, match="larger than the limit of 1048576") as refused:
            decompress(bomb, encoding, LIMIT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert refused.value.reason is Reason.TOO_LARGE
    assert peak < 40 * LIMIT


@pytest.mark.parametrize(("encoding", "pack"), PACKERS)
def test_the_limit_itself_is_taken_and_one_byte_more_is_not(encoding, pack):
    content = NOISE * 6
    assert decompress(pack(content), encoding, len(content)) == content
    with pytest.raises(RefusedError):
        decompress(pack(content), encoding, len(content) - 1)


@pytest.mark.parametrize(("encoding", "pack"), STREAMS)
def test_a_body_of_thousands_of_empty_members_is_refused(encoding, pack):
    with pytest.raises(RefusedError, match="more than 4096 compressed members"):
        decompress(pack(b"") * 5000, encoding, LIMIT)


def test_a_snappy_stream_of_very_many_empty_chunks_is_refused():
    empty = b"\xfe\x00\x00\x00"
    with pytest.raises(RefusedError, match="compressed chunks"):
        decompress(framed_snappy(b"") + empty * 50_000, "snappy", LIMIT)


def test_a_snappy_chunk_of_a_kind_that_must_be_known_is_refused():
    with pytest.raises(RefusedError, match="unknown kind 2"):
        decompress(framed_snappy(b"x") + b"\x02\x00\x00\x00", "snappy", LIMIT)
