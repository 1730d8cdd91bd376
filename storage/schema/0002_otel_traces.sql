CREATE TABLE IF NOT EXISTS otel_traces${local} ${on_cluster}
(
    Timestamp           DateTime64(9) CODEC(Delta(8), Default),
    TraceId             String,
    SpanId              String,
    ParentSpanId        String,
    TraceState          String,
    SpanName            LowCardinality(String),
    SpanKind            LowCardinality(String),
    ServiceName         LowCardinality(String),
    ResourceAttributes  Map(LowCardinality(String), String),
    ScopeName           String,
    ScopeVersion        String,
    SpanAttributes      Map(LowCardinality(String), String),
    Duration            UInt64 CODEC(T64, Default),
    StatusCode          LowCardinality(String),
    StatusMessage       String,
    `Events.Timestamp`  Array(DateTime64(9)),
    `Events.Name`       Array(LowCardinality(String)),
    `Events.Attributes` Array(Map(LowCardinality(String), String)),
    `Links.TraceId`     Array(String),
    `Links.SpanId`      Array(String),
    `Links.TraceState`  Array(String),
    `Links.Attributes`  Array(Map(LowCardinality(String), String)),

    WorkspaceId         LowCardinality(String),
    ClientId            LowCardinality(String),
    ServiceVersion      LowCardinality(String),
    ChunkId             UInt64,
    ChunkRow            UInt32 CODEC(Delta(4), Default),
    RetentionDays       UInt16,

    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_duration Duration TYPE minmax GRANULARITY 1
)
ENGINE = ${engine}
PARTITION BY (toDate32(Timestamp, 'UTC'), RetentionDays)
ORDER BY (WorkspaceId, toStartOfFiveMinutes(Timestamp), ServiceName, SpanName, Timestamp)
TTL if(RetentionDays = 0 OR toDate32(Timestamp, 'UTC') >= toDate32('2090-01-01'),
       toDate('2105-12-31'),
       toDate(Timestamp, 'UTC') + toIntervalDay(RetentionDays)),
    toDateTime(Timestamp, 'UTC') + toIntervalSecond(5) RECOMPRESS CODEC(ZSTD(1))
SETTINGS ttl_only_drop_parts = 1, min_bytes_for_wide_part = 134217728,
         fsync_after_insert = ${fsync}, fsync_part_directory = ${fsync};

CREATE TABLE IF NOT EXISTS otel_traces_trace_id_ts${local} ${on_cluster}
(
    TraceId       String,
    Start         DateTime64(9) CODEC(Delta(8), Default),
    End           DateTime64(9) CODEC(Delta(8), Default),

    WorkspaceId   LowCardinality(String),
    ClientId      LowCardinality(String),
    ChunkId       UInt64,
    ChunkRow      UInt32 CODEC(Delta(4), Default),
    RetentionDays UInt16,

    INDEX idx_trace_id TraceId TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_start Start TYPE minmax GRANULARITY 1
)
ENGINE = ${engine}
PARTITION BY (toDate32(Start, 'UTC'), RetentionDays)
ORDER BY (WorkspaceId, TraceId, Start)
TTL if(RetentionDays = 0 OR toDate32(Start, 'UTC') >= toDate32('2090-01-01'),
       toDate('2105-12-31'),
       toDate(Start, 'UTC') + toIntervalDay(RetentionDays)),
    toDateTime(Start, 'UTC') + toIntervalSecond(5) RECOMPRESS CODEC(ZSTD(1))
SETTINGS ttl_only_drop_parts = 1, min_bytes_for_wide_part = 134217728,
         fsync_after_insert = ${fsync}, fsync_part_directory = ${fsync}
