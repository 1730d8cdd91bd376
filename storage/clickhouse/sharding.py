"""On which shard of a cluster a Distributed table stores a row."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from storage.clickhouse.cluster import Shard


def by_shard(rows: pa.RecordBatch, shards: Sequence[Shard]) -> list[tuple[Shard, pa.RecordBatch]]:
    """The rows of each shard, without shards that get none.

    Tables are sharded by `ChunkId`. Its remainder, divided by the sum of all weights, decides:
    https://clickhouse.com/docs/engines/table-engines/special/distributed
    """
    ends = np.cumsum([shard.weight for shard in shards]).astype(np.uint64)
    remainders = rows["ChunkId"].to_numpy() % ends[-1]
    places = np.searchsorted(ends, remainders, side="right")
    parts = ((shard, rows.filter(pa.array(places == n))) for n, shard in enumerate(shards))
    return [(shard, part) for shard, part in parts if part.num_rows]
