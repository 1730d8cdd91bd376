import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from config.hosts import Host
from storage.clickhouse.cluster import Shard
from storage.clickhouse.sharding import by_shard

ids = st.lists(st.integers(0, 2**64 - 1), min_size=1)
weights = st.lists(st.integers(0, 5), min_size=1, max_size=6).filter(any)


@given(ids, weights)
def test_a_row_is_of_the_shard_whose_slots_have_its_remainder(chunk_ids, weights):
    shards = [Shard([Host(f"s{n}", 9000, 0)], weight) for n, weight in enumerate(weights)]
    slots = [shard for shard in shards for _ in range(shard.weight)]
    rows = pa.record_batch(
        {"ChunkId": pa.array(chunk_ids, pa.uint64()), "Row": range(len(chunk_ids))}
    )

    found = by_shard(rows, shards)
    placed = [(shard, chunk) for shard, part in found for chunk in part["ChunkId"].to_pylist()]
    assert placed == [
        (shard, chunk)
        for shard in shards
        for chunk in chunk_ids
        if slots[chunk % len(slots)] is shard
    ]
    assert sorted(row for _, part in found for row in part["Row"].to_pylist()) == [
        *range(len(chunk_ids))
    ]
