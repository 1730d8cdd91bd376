CREATE TABLE IF NOT EXISTS otel_logs${local} ${on_cluster}
(
    Timestamp          DateTime64(9) CODEC(Delta(8), Default),
    TraceId            String,
    SpanId             String,
    TraceFlags         UInt8,
    SeverityText       LowCardinality(String),
    SeverityNumber     UInt8,
    ServiceName        LowCardinality(String),
    Body               String,
    ResourceSchemaUrl  LowCardinality(String),
    ResourceAttributes Map(LowCardinality(String), LowCardinality(String)),
    ScopeSchemaUrl     LowCardinality(String),
    ScopeName          String,
    ScopeVersion       LowCardinality(String),
    ScopeAttributes    Map(LowCardinality(String), LowCardinality(String)),
    LogAttributes      Map(LowCardinality(String), String),
    EventName          LowCardinality(String),

    WorkspaceId        LowCardinality(String),
    ClientId           LowCardinality(String),
    ServiceVersion     LowCardinality(String),
    Endpoint           LowCardinality(String),
    ChunkId            UInt64,
    ChunkRow           UInt32 CODEC(Delta(4), Default),
    RetentionDays      UInt16,

    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_log_attr_value mapValues(LogAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_body lower(Body) TYPE text(tokenizer = 'splitByNonAlpha')
)
ENGINE = ${engine}
PARTITION BY (toDate32(Timestamp, 'UTC'), RetentionDays)
ORDER BY (WorkspaceId, toStartOfFiveMinutes(Timestamp), ServiceName, Timestamp)
TTL if(RetentionDays = 0 OR toDate32(Timestamp, 'UTC') >= toDate32('2090-01-01'),
       toDate('2105-12-31'),
       toDate(Timestamp, 'UTC') + toIntervalDay(RetentionDays)),
    toDateTime(Timestamp, 'UTC') + toIntervalSecond(5) RECOMPRESS CODEC(ZSTD(1))
SETTINGS index_granularity = 4096, min_compress_block_size = 32768,
         ttl_only_drop_parts = 1, min_bytes_for_wide_part = 134217728,
         fsync_after_insert = ${fsync}, fsync_part_directory = ${fsync}
