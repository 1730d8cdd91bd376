import gzip
import random
import tracemalloc
import zlib

import pytest
import zstandard

from ingest.body import decompress
from ingest.status import Reason, RefusedError

LIMIT = 1024 * 1024
NOISE = random.Random(3).randbytes(200_000)


def zstd(content):
    return zstandard.ZstdCompressor().compress(content)


def zstd_of_unknown_size(content):
    compressor = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    return compressor.compress(content) + compressor.flush()


PACKERS = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("zstd", zstd),
    ("zstd", zstd_of_unknown_size),
]


@pytest.mark.parametrize(("encoding", "pack"), PACKERS)
@pytest.mark.parametrize("content", [b"", b"x", bytes(100_000), NOISE], ids=len)
def test_each_encoding_gives_back_what_was_packed(encoding, pack, content):
    assert decompress(pack(content), encoding, LIMIT) == content


@pytest.mark.parametrize(("encoding", "pack"), PACKERS)
def test_members_one_after_the_other_are_joined(encoding, pack):
    packed = pack(b"first") + pack(b"") + pack(NOISE) + pack(b"last")
    assert decompress(packed, encoding, LIMIT) == b"first" + NOISE + b"last"


def test_identity_is_passed_on():
    assert decompress(NOISE, "identity", LIMIT) == NOISE
    assert decompress(NOISE, "", LIMIT) == NOISE


@pytest.mark.parametrize(("encoding", "pack"), PACKERS)
def test_a_body_that_ends_too_early_is_refused_wherever_it_ends(encoding, pack):
    packed = pack(bytes(300) + NOISE[:5000])
    for end in [1, 2, 5, 10, 100, len(packed) // 2, len(packed) - 5, len(packed) - 1]:
        with pytest.raises(RefusedError) as refused:
            decompress(packed[:end], encoding, LIMIT)
        assert refused.value.reason is Reason.INVALID
        assert refused.value.field == "Content-Encoding"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
@pytest.mark.parametrize(
    "raw", [b"hello", b"\x00" * 600, NOISE[:600], gzip.compress(b"x", mtime=0)[::-1]]
)
def test_bytes_of_another_kind_are_refused(encoding, raw):
    with pytest.raises(RefusedError, match=r"not what Content-Encoding says|cut off"):
        decompress(raw, encoding, LIMIT)


@pytest.mark.parametrize("encoding", ["br", "compress", "gzip, gzip", "utf-8", "x" * 99])
def test_an_unknown_encoding_is_refused_by_its_name(encoding):
    with pytest.raises(RefusedError) as refused:
        decompress(b"x", encoding, LIMIT)
    assert refused.value.reason is Reason.UNSUPPORTED
    assert encoding[:40] in refused.value.text


@pytest.mark.parametrize(
    ("encoding", "bomb"),
    [
        ("gzip", gzip.compress(bytes(10_000_000), mtime=0)),
        ("deflate", zlib.compress(bytes(10_000_000))),
        ("zstd", zstd(bytes(100_000_000))),
        ("zstd", zstd_of_unknown_size(bytes(100_000_000))),
        ("gzip", gzip.compress(bytes(600_000), mtime=0) * 20),
    ],
    ids=["gzip", "deflate", "zstd", "zstd of unknown size", "members"],
)
def test_a_bomb_is_refused_without_the_memory_it_asks_for(encoding, bomb):
    assert len(bomb) < 13_000
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


@pytest.mark.parametrize(("encoding", "pack"), PACKERS)
def test_a_body_of_thousands_of_empty_members_is_refused(encoding, pack):
    with pytest.raises(RefusedError, match="more than 4096 compressed members"):
        decompress(pack(b"") * 5000, encoding, LIMIT)
