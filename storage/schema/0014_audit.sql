CREATE TABLE IF NOT EXISTS audit${local} ${on_cluster}
(
    At          DateTime64(3, 'UTC'),
    Id          String,
    Principal   String,
    Name        String,
    Action      LowCardinality(String),
    WorkspaceId LowCardinality(String),
    Details     String,
    Address     String
)
ENGINE = ${replacing}
PARTITION BY toYYYYMM(At)
ORDER BY (At, Id)
SETTINGS fsync_after_insert = ${fsync}
