CREATE TABLE IF NOT EXISTS direct_requests${local} ${on_cluster}
(
    RequestId String,
    Body      String,
    Records   UInt32,
    StoredAt  DateTime64(3, 'UTC'),
    ChunkId   UInt64
)
ENGINE = ${engine}
PARTITION BY toDate(StoredAt, 'UTC')
ORDER BY (ChunkId, StoredAt)
TTL toDate(StoredAt, 'UTC') + INTERVAL 8 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = ${fsync}
