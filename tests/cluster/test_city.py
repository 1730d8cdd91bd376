"""The hash that goes with each file of a part."""

import struct

from clickhouse_cityhash.cityhash import CityHash128
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster import city


@given(st.binary(min_size=16, max_size=700))
def test_the_hash_is_that_of_the_package(text):
    low, high = city.hash128(text)
    assert int(CityHash128(text)) == low << 64 | high


@given(st.binary(max_size=700), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_the_first_bytes_that_the_package_hashes_are_its_seed(text, low, high):
    first = struct.pack("<2Q", low ^ 0xC949D7C7509E6557, high)
    assert city.hash128(first + text) == city.hash_with_seed(text, (low, high))


@given(st.binary(max_size=5000))
def test_each_piece_of_a_file_seeds_the_next(text):
    state = (0, 0)
    for start in range(0, len(text), 2048):
        state = city.hash_with_seed(text[start : start + 2048], state)
    assert city.hash_of_file(text) == state
