from hypothesis import given
from hypothesis import strategies as st

from ingest.piece import Piece, chunkfuls
from ingest.tenant import Tenant
from tasks.chunk import MAX_BYTES


class Measured(bytes):
    """Bytes of a size that they only pretend to have, and that count how often it is asked for."""

    looks = 0

    def __len__(self):
        Measured.looks += 1
        return int(self.decode())


def pieces_of(sizes):
    return [
        Piece(Tenant(), "logs", Measured(str(size).encode()), 1, str(number))
        for number, size in enumerate(sizes)
    ]


@given(st.lists(st.integers(1, MAX_BYTES), max_size=30))
def test_pieces_become_as_few_chunks_in_a_row_as_can_hold_them(sizes):
    pieces = pieces_of(sizes)
    chunks = list(chunkfuls(pieces))
    assert [piece for chunk in chunks for piece in chunk] == pieces
    weights = [sum(len(piece.payload) for piece in chunk) for chunk in chunks]
    assert all(0 < weight <= MAX_BYTES for weight in weights)
    for weight, chunk in zip(weights, chunks[1:], strict=False):
        assert weight + len(chunk[0].payload) > MAX_BYTES


def test_many_small_pieces_are_each_looked_at_once():
    pieces = pieces_of([100] * 5000)
    Measured.looks = 0
    assert len(list(chunkfuls(pieces))) == 1
    assert Measured.looks == len(pieces)


def test_a_chunk_holds_no_more_records_than_a_request_may():
    pieces = [Piece(Tenant(), "logs", b"x", 100_000, str(number)) for number in range(5)]
    pieces.append(Piece(Tenant(), "logs", b"x", 300_000, "large"))
    assert [len(chunk) for chunk in chunkfuls(pieces)] == [2, 2, 1, 1]
