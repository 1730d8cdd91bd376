CREATE TABLE IF NOT EXISTS usage${local} ${on_cluster}
(
    Day         Date,
    WorkspaceId LowCardinality(String),
    ClientId    LowCardinality(String),
    Signal      LowCardinality(String),
    Outcome     LowCardinality(String),
    Id          String,
    Requests    UInt64,
    Records     UInt64,
    Bytes       UInt64
)
ENGINE = ${replacing}
PARTITION BY toYYYYMM(Day)
ORDER BY (WorkspaceId, Day, ClientId, Signal, Outcome, Id)
TTL Day + INTERVAL 400 DAY
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = ${fsync}
