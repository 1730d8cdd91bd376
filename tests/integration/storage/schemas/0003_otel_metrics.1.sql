CREATE TABLE IF NOT EXISTS otel_metrics_gauge${local} ${on_cluster}
(
    ResourceAttributes             Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ResourceSchemaUrl              String CODEC(ZSTD(1)),
    ScopeName                      String CODEC(ZSTD(1)),
    ScopeVersion                   String CODEC(ZSTD(1)),
    ScopeAttributes                Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeDroppedAttrCount          UInt32 CODEC(ZSTD(1)),
    ScopeSchemaUrl                 String CODEC(ZSTD(1)),
    ServiceName                    LowCardinality(String) CODEC(ZSTD(1)),
    MetricName                     LowCardinality(String) CODEC(ZSTD(1)),
    MetricDescription              String CODEC(ZSTD(1)),
    MetricUnit                     String CODEC(ZSTD(1)),
    Attributes                     Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    StartTimeUnix                  DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    TimeUnix                       DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    Value                          Float64 CODEC(ZSTD(1)),
    Flags                          UInt32 CODEC(ZSTD(1)),
    `Exemplars.FilteredAttributes` Array(Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    `Exemplars.TimeUnix`           Array(DateTime64(9)) CODEC(ZSTD(1)),
    `Exemplars.Value`              Array(Float64) CODEC(ZSTD(1)),
    `Exemplars.SpanId`             Array(String) CODEC(ZSTD(1)),
    `Exemplars.TraceId`            Array(String) CODEC(ZSTD(1)),

    WorkspaceId                    LowCardinality(String) CODEC(ZSTD(1)),
    ClientId                       LowCardinality(String) CODEC(ZSTD(1)),
    ServiceVersion                 LowCardinality(String) CODEC(ZSTD(1)),
    ChunkId                        UInt64 CODEC(ZSTD(1)),
    ChunkRow                       UInt32 CODEC(Delta(4), ZSTD(1)),
    RetentionDays                  UInt16 CODEC(ZSTD(1))
)
ENGINE = ${engine}
PARTITION BY (toDate32(TimeUnix, 'UTC'), RetentionDays)
ORDER BY (WorkspaceId, toStartOfHour(TimeUnix), ServiceName, MetricName,
          cityHash64(Attributes), TimeUnix)
TTL if(RetentionDays = 0 OR toDate32(TimeUnix, 'UTC') >= toDate32('2090-01-01'),
       toDate('2105-12-31'),
       toDate(TimeUnix, 'UTC') + toIntervalDay(RetentionDays))
SETTINGS ttl_only_drop_parts = 1, min_bytes_for_wide_part = 134217728,
         fsync_after_insert = ${fsync}, fsync_part_directory = ${fsync};

CREATE TABLE IF NOT EXISTS otel_metrics_sum${local} ${on_cluster}
(
    ResourceAttributes             Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ResourceSchemaUrl              String CODEC(ZSTD(1)),
    ScopeName                      String CODEC(ZSTD(1)),
    ScopeVersion                   String CODEC(ZSTD(1)),
    ScopeAttributes                Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeDroppedAttrCount          UInt32 CODEC(ZSTD(1)),
    ScopeSchemaUrl                 String CODEC(ZSTD(1)),
    ServiceName                    LowCardinality(String) CODEC(ZSTD(1)),
    MetricName                     LowCardinality(String) CODEC(ZSTD(1)),
    MetricDescription              String CODEC(ZSTD(1)),
    MetricUnit                     String CODEC(ZSTD(1)),
    Attributes                     Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    StartTimeUnix                  DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    TimeUnix                       DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    Value                          Float64 CODEC(ZSTD(1)),
    Flags                          UInt32 CODEC(ZSTD(1)),
    `Exemplars.FilteredAttributes` Array(Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    `Exemplars.TimeUnix`           Array(DateTime64(9)) CODEC(ZSTD(1)),
    `Exemplars.Value`              Array(Float64) CODEC(ZSTD(1)),
    `Exemplars.SpanId`             Array(String) CODEC(ZSTD(1)),
    `Exemplars.TraceId`            Array(String) CODEC(ZSTD(1)),
    AggregationTemporality         Int32 CODEC(ZSTD(1)),
    IsMonotonic                    Bool CODEC(ZSTD(1)),

    WorkspaceId                    LowCardinality(String) CODEC(ZSTD(1)),
    ClientId                       LowCardinality(String) CODEC(ZSTD(1)),
    ServiceVersion                 LowCardinality(String) CODEC(ZSTD(1)),
    ChunkId                        UInt64 CODEC(ZSTD(1)),
    ChunkRow                       UInt32 CODEC(Delta(4), ZSTD(1)),
    RetentionDays                  UInt16 CODEC(ZSTD(1))
)
ENGINE = ${engine}
PARTITION BY (toDate32(TimeUnix, 'UTC'), RetentionDays)
ORDER BY (WorkspaceId, toStartOfHour(TimeUnix), ServiceName, MetricName,
          cityHash64(Attributes), TimeUnix)
TTL if(RetentionDays = 0 OR toDate32(TimeUnix, 'UTC') >= toDate32('2090-01-01'),
       toDate('2105-12-31'),
       toDate(TimeUnix, 'UTC') + toIntervalDay(RetentionDays))
SETTINGS ttl_only_drop_parts = 1, min_bytes_for_wide_part = 134217728,
         fsync_after_insert = ${fsync}, fsync_part_directory = ${fsync};

CREATE TABLE IF NOT EXISTS otel_metrics_histogram${local} ${on_cluster}
(
    ResourceAttributes             Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ResourceSchemaUrl              String CODEC(ZSTD(1)),
    ScopeName                      String CODEC(ZSTD(1)),
    ScopeVersion                   String CODEC(ZSTD(1)),
    ScopeAttributes                Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeDroppedAttrCount          UInt32 CODEC(ZSTD(1)),
    ScopeSchemaUrl                 String CODEC(ZSTD(1)),
    ServiceName                    LowCardinality(String) CODEC(ZSTD(1)),
    MetricName                     LowCardinality(String) CODEC(ZSTD(1)),
    MetricDescription              String CODEC(ZSTD(1)),
    MetricUnit                     String CODEC(ZSTD(1)),
    Attributes                     Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    StartTimeUnix                  DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    TimeUnix                       DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    Count                          UInt64 CODEC(Delta(8), ZSTD(1)),
    Sum                            Float64 CODEC(ZSTD(1)),
    BucketCounts                   Array(UInt64) CODEC(ZSTD(1)),
    ExplicitBounds                 Array(Float64) CODEC(ZSTD(1)),
    `Exemplars.FilteredAttributes` Array(Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    `Exemplars.TimeUnix`           Array(DateTime64(9)) CODEC(ZSTD(1)),
    `Exemplars.Value`              Array(Float64) CODEC(ZSTD(1)),
    `Exemplars.SpanId`             Array(String) CODEC(ZSTD(1)),
    `Exemplars.TraceId`            Array(String) CODEC(ZSTD(1)),
    Flags                          UInt32 CODEC(ZSTD(1)),
    Min                            Float64 CODEC(ZSTD(1)),
    Max                            Float64 CODEC(ZSTD(1)),
    AggregationTemporality         Int32 CODEC(ZSTD(1)),

    WorkspaceId                    LowCardinality(String) CODEC(ZSTD(1)),
    ClientId                       LowCardinality(String) CODEC(ZSTD(1)),
    ServiceVersion                 LowCardinality(String) CODEC(ZSTD(1)),
    ChunkId                        UInt64 CODEC(ZSTD(1)),
    ChunkRow                       UInt32 CODEC(Delta(4), ZSTD(1)),
    RetentionDays                  UInt16 CODEC(ZSTD(1))
)
ENGINE = ${engine}
PARTITION BY (toDate32(TimeUnix, 'UTC'), RetentionDays)
ORDER BY (WorkspaceId, toStartOfHour(TimeUnix), ServiceName, MetricName,
          cityHash64(Attributes), TimeUnix)
TTL if(RetentionDays = 0 OR toDate32(TimeUnix, 'UTC') >= toDate32('2090-01-01'),
       toDate('2105-12-31'),
       toDate(TimeUnix, 'UTC') + toIntervalDay(RetentionDays))
SETTINGS ttl_only_drop_parts = 1, min_bytes_for_wide_part = 134217728,
         fsync_after_insert = ${fsync}, fsync_part_directory = ${fsync};

CREATE TABLE IF NOT EXISTS otel_metrics_exponential_histogram${local} ${on_cluster}
(
    ResourceAttributes             Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ResourceSchemaUrl              String CODEC(ZSTD(1)),
    ScopeName                      String CODEC(ZSTD(1)),
    ScopeVersion                   String CODEC(ZSTD(1)),
    ScopeAttributes                Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeDroppedAttrCount          UInt32 CODEC(ZSTD(1)),
    ScopeSchemaUrl                 String CODEC(ZSTD(1)),
    ServiceName                    LowCardinality(String) CODEC(ZSTD(1)),
    MetricName                     LowCardinality(String) CODEC(ZSTD(1)),
    MetricDescription              String CODEC(ZSTD(1)),
    MetricUnit                     String CODEC(ZSTD(1)),
    Attributes                     Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    StartTimeUnix                  DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    TimeUnix                       DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    Count                          UInt64 CODEC(Delta(8), ZSTD(1)),
    Sum                            Float64 CODEC(ZSTD(1)),
    Scale                          Int32 CODEC(ZSTD(1)),
    ZeroCount                      UInt64 CODEC(ZSTD(1)),
    PositiveOffset                 Int32 CODEC(ZSTD(1)),
    PositiveBucketCounts           Array(UInt64) CODEC(ZSTD(1)),
    NegativeOffset                 Int32 CODEC(ZSTD(1)),
    NegativeBucketCounts           Array(UInt64) CODEC(ZSTD(1)),
    `Exemplars.FilteredAttributes` Array(Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    `Exemplars.TimeUnix`           Array(DateTime64(9)) CODEC(ZSTD(1)),
    `Exemplars.Value`              Array(Float64) CODEC(ZSTD(1)),
    `Exemplars.SpanId`             Array(String) CODEC(ZSTD(1)),
    `Exemplars.TraceId`            Array(String) CODEC(ZSTD(1)),
    Flags                          UInt32 CODEC(ZSTD(1)),
    Min                            Float64 CODEC(ZSTD(1)),
    Max                            Float64 CODEC(ZSTD(1)),
    AggregationTemporality         Int32 CODEC(ZSTD(1)),

    WorkspaceId                    LowCardinality(String) CODEC(ZSTD(1)),
    ClientId                       LowCardinality(String) CODEC(ZSTD(1)),
    ServiceVersion                 LowCardinality(String) CODEC(ZSTD(1)),
    ChunkId                        UInt64 CODEC(ZSTD(1)),
    ChunkRow                       UInt32 CODEC(Delta(4), ZSTD(1)),
    RetentionDays                  UInt16 CODEC(ZSTD(1))
)
ENGINE = ${engine}
PARTITION BY (toDate32(TimeUnix, 'UTC'), RetentionDays)
ORDER BY (WorkspaceId, toStartOfHour(TimeUnix), ServiceName, MetricName,
          cityHash64(Attributes), TimeUnix)
TTL if(RetentionDays = 0 OR toDate32(TimeUnix, 'UTC') >= toDate32('2090-01-01'),
       toDate('2105-12-31'),
       toDate(TimeUnix, 'UTC') + toIntervalDay(RetentionDays))
SETTINGS ttl_only_drop_parts = 1, min_bytes_for_wide_part = 134217728,
         fsync_after_insert = ${fsync}, fsync_part_directory = ${fsync};

CREATE TABLE IF NOT EXISTS otel_metrics_summary${local} ${on_cluster}
(
    ResourceAttributes             Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ResourceSchemaUrl              String CODEC(ZSTD(1)),
    ScopeName                      String CODEC(ZSTD(1)),
    ScopeVersion                   String CODEC(ZSTD(1)),
    ScopeAttributes                Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeDroppedAttrCount          UInt32 CODEC(ZSTD(1)),
    ScopeSchemaUrl                 String CODEC(ZSTD(1)),
    ServiceName                    LowCardinality(String) CODEC(ZSTD(1)),
    MetricName                     LowCardinality(String) CODEC(ZSTD(1)),
    MetricDescription              String CODEC(ZSTD(1)),
    MetricUnit                     String CODEC(ZSTD(1)),
    Attributes                     Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    StartTimeUnix                  DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    TimeUnix                       DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    Count                          UInt64 CODEC(Delta(8), ZSTD(1)),
    Sum                            Float64 CODEC(ZSTD(1)),
    `ValueAtQuantiles.Quantile`    Array(Float64) CODEC(ZSTD(1)),
    `ValueAtQuantiles.Value`       Array(Float64) CODEC(ZSTD(1)),
    Flags                          UInt32 CODEC(ZSTD(1)),

    WorkspaceId                    LowCardinality(String) CODEC(ZSTD(1)),
    ClientId                       LowCardinality(String) CODEC(ZSTD(1)),
    ServiceVersion                 LowCardinality(String) CODEC(ZSTD(1)),
    ChunkId                        UInt64 CODEC(ZSTD(1)),
    ChunkRow                       UInt32 CODEC(Delta(4), ZSTD(1)),
    RetentionDays                  UInt16 CODEC(ZSTD(1))
)
ENGINE = ${engine}
PARTITION BY (toDate32(TimeUnix, 'UTC'), RetentionDays)
ORDER BY (WorkspaceId, toStartOfHour(TimeUnix), ServiceName, MetricName,
          cityHash64(Attributes), TimeUnix)
TTL if(RetentionDays = 0 OR toDate32(TimeUnix, 'UTC') >= toDate32('2090-01-01'),
       toDate('2105-12-31'),
       toDate(TimeUnix, 'UTC') + toIntervalDay(RetentionDays))
SETTINGS ttl_only_drop_parts = 1, min_bytes_for_wide_part = 134217728,
         fsync_after_insert = ${fsync}, fsync_part_directory = ${fsync}
