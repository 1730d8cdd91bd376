CREATE TABLE IF NOT EXISTS shared${local} ${on_cluster}
(
    Kind    LowCardinality(String),
    Name    String,
    Version UInt64,
    Content String
)
ENGINE = ${replacing}(Version)
ORDER BY (Kind, Name)
SETTINGS fsync_after_insert = ${fsync}
