CREATE TABLE IF NOT EXISTS otel_traces${local} ${on_cluster}
(
    Timestamp           DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    TraceId             String CODEC(ZSTD(1)),
    SpanId              String CODEC(ZSTD(1)),
    ParentSpanId        String CODEC(ZSTD(1)),
    TraceState          String CODEC(ZSTD(1)),
    SpanName            LowCardinality(String) CODEC(ZSTD(1)),
    SpanKind            LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName         LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes  Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeName           String CODEC(ZSTD(1)),
    ScopeVersion        String CODEC(ZSTD(1)),
    SpanAttributes      Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    Duration            UInt64 CODEC(T64, ZSTD(1)),
    StatusCode          LowCardinality(String) CODEC(ZSTD(1)),
    StatusMessage       String CODEC(ZSTD(1)),
    `Events.Timestamp`  Array(DateTime64(9)) CODEC(ZSTD(1)),
    `Events.Name`       Array(LowCardinality(String)) CODEC(ZSTD(1)),
    `Events.Attributes` Array(Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    `Links.TraceId`     Array(String) CODEC(ZSTD(1)),
    `Links.SpanId`      Array(String) CODEC(ZSTD(1)),
    `Links.TraceState`  Array(String) CODEC(ZSTD(1)),
    `Links.Attributes`  Array(Map(LowCardinality(String), String)) CODEC(ZSTD(1)),

    WorkspaceId         LowCardinality(String) CODEC(ZSTD(1)),
    ClientId            LowCardinality(String) CODEC(ZSTD(1)),
    ServiceVersion      LowCardinality(String) CODEC(ZSTD(1)),
    ChunkId             UInt64 CODEC(ZSTD(1)),
    ChunkRow            UInt32 CODEC(Delta(4), ZSTD(1)),
    RetentionDays       UInt16 CODEC(ZSTD(1)),

    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_duration Duration TYPE minmax GRANULARITY 1
)
ENGINE = ${engine}
PARTITION BY (toDate32(Timestamp, 'UTC'), RetentionDays)
ORDER BY (WorkspaceId, toStartOfFiveMinutes(Timestamp), ServiceName, SpanName, Timestamp)
TTL if(RetentionDays = 0 OR toDate32(Timestamp, 'UTC') >= toDate32('2090-01-01'),
       toDate('2105-12-31'),
       toDate(Timestamp, 'UTC') + toIntervalDay(RetentionDays))
SETTINGS ttl_only_drop_parts = 1, min_bytes_for_wide_part = 134217728,
         fsync_after_insert = ${fsync}, fsync_part_directory = ${fsync};

CREATE TABLE IF NOT EXISTS otel_traces_trace_id_ts${local} ${on_cluster}
(
    TraceId       String CODEC(ZSTD(1)),
    Start         DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    End           DateTime64(9) CODEC(Delta(8), ZSTD(1)),

    WorkspaceId   LowCardinality(String) CODEC(ZSTD(1)),
    ClientId      LowCardinality(String) CODEC(ZSTD(1)),
    ChunkId       UInt64 CODEC(ZSTD(1)),
    ChunkRow      UInt32 CODEC(Delta(4), ZSTD(1)),
    RetentionDays UInt16 CODEC(ZSTD(1)),

    INDEX idx_trace_id TraceId TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_start Start TYPE minmax GRANULARITY 1
)
ENGINE = ${engine}
PARTITION BY (toDate32(Start, 'UTC'), RetentionDays)
ORDER BY (WorkspaceId, TraceId, Start)
TTL if(RetentionDays = 0 OR toDate32(Start, 'UTC') >= toDate32('2090-01-01'),
       toDate('2105-12-31'),
       toDate(Start, 'UTC') + toIntervalDay(RetentionDays))
SETTINGS ttl_only_drop_parts = 1, min_bytes_for_wide_part = 134217728,
         fsync_after_insert = ${fsync}, fsync_part_directory = ${fsync}
