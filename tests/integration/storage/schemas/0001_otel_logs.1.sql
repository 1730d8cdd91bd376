CREATE TABLE IF NOT EXISTS otel_logs${local} ${on_cluster}
(
    Timestamp          DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    TraceId            String CODEC(ZSTD(1)),
    SpanId             String CODEC(ZSTD(1)),
    TraceFlags         UInt8,
    SeverityText       LowCardinality(String) CODEC(ZSTD(1)),
    SeverityNumber     UInt8,
    ServiceName        LowCardinality(String) CODEC(ZSTD(1)),
    Body               String CODEC(ZSTD(1)),
    ResourceSchemaUrl  LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeSchemaUrl     LowCardinality(String) CODEC(ZSTD(1)),
    ScopeName          String CODEC(ZSTD(1)),
    ScopeVersion       LowCardinality(String) CODEC(ZSTD(1)),
    ScopeAttributes    Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    LogAttributes      Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    EventName          LowCardinality(String) CODEC(ZSTD(1)),

    WorkspaceId        LowCardinality(String) CODEC(ZSTD(1)),
    ClientId           LowCardinality(String) CODEC(ZSTD(1)),
    ServiceVersion     LowCardinality(String) CODEC(ZSTD(1)),
    Endpoint           LowCardinality(String) CODEC(ZSTD(1)),
    ChunkId            UInt64 CODEC(ZSTD(1)),
    ChunkRow           UInt32 CODEC(Delta(4), ZSTD(1)),
    RetentionDays      UInt16 CODEC(ZSTD(1)),

    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_body lower(Body) TYPE text(tokenizer = 'splitByNonAlpha')
)
ENGINE = ${engine}
PARTITION BY (toDate32(Timestamp, 'UTC'), RetentionDays)
ORDER BY (WorkspaceId, toStartOfFiveMinutes(Timestamp), ServiceName, Timestamp)
TTL if(RetentionDays = 0 OR toDate32(Timestamp, 'UTC') >= toDate32('2090-01-01'),
       toDate('2105-12-31'),
       toDate(Timestamp, 'UTC') + toIntervalDay(RetentionDays))
SETTINGS ttl_only_drop_parts = 1, min_bytes_for_wide_part = 134217728,
         fsync_after_insert = ${fsync}, fsync_part_directory = ${fsync}
