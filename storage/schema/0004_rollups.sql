CREATE TABLE IF NOT EXISTS otel_logs_rollup_marks${local} ${on_cluster}
(
    WorkspaceId LowCardinality(String),
    Hour        DateTime64(0, 'UTC'),
    Seconds     Float64 EPHEMERAL,
    Until       DateTime64(6, 'UTC') DEFAULT now64(6) + toIntervalMicrosecond(toInt64(Seconds * 1e6))
)
ENGINE = ${replacing}(Until)
ORDER BY (WorkspaceId, Hour)
SETTINGS fsync_after_insert = ${fsync}, fsync_part_directory = ${fsync};

CREATE TABLE IF NOT EXISTS otel_logs_rollup${local} ${on_cluster}
(
    WorkspaceId LowCardinality(String),
    Width       UInt32,
    Start       DateTime64(0, 'UTC'),
    Version     DateTime64(6, 'UTC'),
    ValidUntil  Date32,
    Counts      Nested
    (
        ClientId       LowCardinality(String),
        ServiceName    LowCardinality(String),
        ServiceVersion LowCardinality(String),
        Level          LowCardinality(String),
        Records        UInt64,
        Errors         UInt64,
        LastSeen       DateTime64(9)
    )
)
ENGINE = ${replacing}(Version)
PARTITION BY toYYYYMM(Start)
ORDER BY (WorkspaceId, Width, Start);

INSERT INTO otel_logs_rollup_marks (WorkspaceId, Hour, Seconds)
SELECT DISTINCT WorkspaceId,
       toDateTime64(intDiv(toUnixTimestamp64Nano(Timestamp), 3600000000000) * 3600, 0, 'UTC'), 300
FROM otel_logs
