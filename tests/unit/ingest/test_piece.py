import itertools

from hypothesis import given
from hypothesis import strategies as st

from ingest.convert.piece import Piece, chunkfuls
from ingest.tenant import Tenant
from ledger.chunk import MAX_BYTES


class Measured(bytes):
    """Bytes that claim the length they spell out, and count how often it is asked for."""

    looks = 0

    def __len__(self):
        Measured.looks += 1
        return int(self.decode())


def pieces_of(sizes):
    """Pieces that claim these sizes in bytes."""
    return [
        Piece(Tenant(), "logs", Measured(str(size).encode()), 1, str(number))
        for number, size in enumerate(sizes)
    ]


@given(st.lists(st.integers(1, MAX_BYTES), max_size=30))
def test_pieces_become_as_few_chunks_in_a_row_as_can_hold_them(sizes):
    pieces = pieces_of(sizes)
    chunks = list(chunkfuls(pieces))

    assert list(itertools.chain.from_iterable(chunks)) == pieces
    for chunk in chunks:
        assert 0 < size_of(chunk) <= MAX_BYTES
    for chunk, following in itertools.pairwise(chunks):
        assert size_of(chunk) + len(following[0].payload) > MAX_BYTES


def size_of(chunk):
    return sum(len(piece.payload) for piece in chunk)


def test_many_small_pieces_are_each_looked_at_once():
    pieces = pieces_of([100] * 5000)
    Measured.looks = 0
    assert len(list(chunkfuls(pieces))) == 1
    assert Measured.looks == len(pieces)


def test_a_chunk_holds_no_more_records_than_a_request_may():
    records = [100_000] * 5 + [300_000]
    pieces = [
        Piece(Tenant(), "logs", b"x", count, str(number)) for number, count in enumerate(records)
    ]

    sizes = [len(chunk) for chunk in chunkfuls(pieces)]

    assert sizes == [2, 2, 1, 1]
