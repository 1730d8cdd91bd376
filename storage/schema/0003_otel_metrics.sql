CREATE TABLE IF NOT EXISTS otel_metrics_gauge${local} ${on_cluster}
(
    ResourceAttributes             Map(LowCardinality(String), String),
    ResourceSchemaUrl              String,
    ScopeName                      String,
    ScopeVersion                   String,
    ScopeAttributes                Map(LowCardinality(String), String),
    ScopeDroppedAttrCount          UInt32,
    ScopeSchemaUrl                 String,
    ServiceName                    LowCardinality(String),
    MetricName                     LowCardinality(String),
    MetricDescription              String,
    MetricUnit                     String,
    Attributes                     Map(LowCardinality(String), String),
    StartTimeUnix                  DateTime64(9) CODEC(Delta(8), Default),
    TimeUnix                       DateTime64(9) CODEC(Delta(8), Default),
    Value                          Float64,
    Flags                          UInt32,
    `Exemplars.FilteredAttributes` Array(Map(LowCardinality(String), String)),
    `Exemplars.TimeUnix`           Array(DateTime64(9)),
    `Exemplars.Value`              Array(Float64),
    `Exemplars.SpanId`             Array(String),
    `Exemplars.TraceId`            Array(String),

    WorkspaceId                    LowCardinality(String),
    ClientId                       LowCardinality(String),
    ServiceVersion                 LowCardinality(String),
    ChunkId                        UInt64,
    ChunkRow                       UInt32 CODEC(Delta(4), Default),
    RetentionDays                  UInt16
)
ENGINE = ${engine}
PARTITION BY (toDate32(TimeUnix, 'UTC'), RetentionDays)
ORDER BY (WorkspaceId, toStartOfHour(TimeUnix), ServiceName, MetricName,
          cityHash64(Attributes), TimeUnix)
TTL if(RetentionDays = 0 OR toDate32(TimeUnix, 'UTC') >= toDate32('2090-01-01'),
       toDate('2105-12-31'),
       toDate(TimeUnix, 'UTC') + toIntervalDay(RetentionDays)),
    toDateTime(TimeUnix, 'UTC') + toIntervalSecond(5) RECOMPRESS CODEC(ZSTD(1))
SETTINGS ttl_only_drop_parts = 1, min_bytes_for_wide_part = 134217728,
         fsync_after_insert = ${fsync}, fsync_part_directory = ${fsync};

CREATE TABLE IF NOT EXISTS otel_metrics_sum${local} ${on_cluster}
(
    ResourceAttributes             Map(LowCardinality(String), String),
    ResourceSchemaUrl              String,
    ScopeName                      String,
    ScopeVersion                   String,
    ScopeAttributes                Map(LowCardinality(String), String),
    ScopeDroppedAttrCount          UInt32,
    ScopeSchemaUrl                 String,
    ServiceName                    LowCardinality(String),
    MetricName                     LowCardinality(String),
    MetricDescription              String,
    MetricUnit                     String,
    Attributes                     Map(LowCardinality(String), String),
    StartTimeUnix                  DateTime64(9) CODEC(Delta(8), Default),
    TimeUnix                       DateTime64(9) CODEC(Delta(8), Default),
    Value                          Float64,
    Flags                          UInt32,
    `Exemplars.FilteredAttributes` Array(Map(LowCardinality(String), String)),
    `Exemplars.TimeUnix`           Array(DateTime64(9)),
    `Exemplars.Value`              Array(Float64),
    `Exemplars.SpanId`             Array(String),
    `Exemplars.TraceId`            Array(String),
    AggregationTemporality         Int32,
    IsMonotonic                    Bool,

    WorkspaceId                    LowCardinality(String),
    ClientId                       LowCardinality(String),
    ServiceVersion                 LowCardinality(String),
    ChunkId                        UInt64,
    ChunkRow                       UInt32 CODEC(Delta(4), Default),
    RetentionDays                  UInt16
)
ENGINE = ${engine}
PARTITION BY (toDate32(TimeUnix, 'UTC'), RetentionDays)
ORDER BY (WorkspaceId, toStartOfHour(TimeUnix), ServiceName, MetricName,
          cityHash64(Attributes), TimeUnix)
TTL if(RetentionDays = 0 OR toDate32(TimeUnix, 'UTC') >= toDate32('2090-01-01'),
       toDate('2105-12-31'),
       toDate(TimeUnix, 'UTC') + toIntervalDay(RetentionDays)),
    toDateTime(TimeUnix, 'UTC') + toIntervalSecond(5) RECOMPRESS CODEC(ZSTD(1))
SETTINGS ttl_only_drop_parts = 1, min_bytes_for_wide_part = 134217728,
         fsync_after_insert = ${fsync}, fsync_part_directory = ${fsync};

CREATE TABLE IF NOT EXISTS otel_metrics_histogram${local} ${on_cluster}
(
    ResourceAttributes             Map(LowCardinality(String), String),
    ResourceSchemaUrl              String,
    ScopeName                      String,
    ScopeVersion                   String,
    ScopeAttributes                Map(LowCardinality(String), String),
    ScopeDroppedAttrCount          UInt32,
    ScopeSchemaUrl                 String,
    ServiceName                    LowCardinality(String),
    MetricName                     LowCardinality(String),
    MetricDescription              String,
    MetricUnit                     String,
    Attributes                     Map(LowCardinality(String), String),
    StartTimeUnix                  DateTime64(9) CODEC(Delta(8), Default),
    TimeUnix                       DateTime64(9) CODEC(Delta(8), Default),
    Count                          UInt64 CODEC(Delta(8), Default),
    Sum                            Float64,
    BucketCounts                   Array(UInt64),
    ExplicitBounds                 Array(Float64),
    `Exemplars.FilteredAttributes` Array(Map(LowCardinality(String), String)),
    `Exemplars.TimeUnix`           Array(DateTime64(9)),
    `Exemplars.Value`              Array(Float64),
    `Exemplars.SpanId`             Array(String),
    `Exemplars.TraceId`            Array(String),
    Flags                          UInt32,
    Min                            Float64,
    Max                            Float64,
    AggregationTemporality         Int32,

    WorkspaceId                    LowCardinality(String),
    ClientId                       LowCardinality(String),
    ServiceVersion                 LowCardinality(String),
    ChunkId                        UInt64,
    ChunkRow                       UInt32 CODEC(Delta(4), Default),
    RetentionDays                  UInt16
)
ENGINE = ${engine}
PARTITION BY (toDate32(TimeUnix, 'UTC'), RetentionDays)
ORDER BY (WorkspaceId, toStartOfHour(TimeUnix), ServiceName, MetricName,
          cityHash64(Attributes), TimeUnix)
TTL if(RetentionDays = 0 OR toDate32(TimeUnix, 'UTC') >= toDate32('2090-01-01'),
       toDate('2105-12-31'),
       toDate(TimeUnix, 'UTC') + toIntervalDay(RetentionDays)),
    toDateTime(TimeUnix, 'UTC') + toIntervalSecond(5) RECOMPRESS CODEC(ZSTD(1))
SETTINGS ttl_only_drop_parts = 1, min_bytes_for_wide_part = 134217728,
         fsync_after_insert = ${fsync}, fsync_part_directory = ${fsync};

CREATE TABLE IF NOT EXISTS otel_metrics_exponential_histogram${local} ${on_cluster}
(
    ResourceAttributes             Map(LowCardinality(String), String),
    ResourceSchemaUrl              String,
    ScopeName                      String,
    ScopeVersion                   String,
    ScopeAttributes                Map(LowCardinality(String), String),
    ScopeDroppedAttrCount          UInt32,
    ScopeSchemaUrl                 String,
    ServiceName                    LowCardinality(String),
    MetricName                     LowCardinality(String),
    MetricDescription              String,
    MetricUnit                     String,
    Attributes                     Map(LowCardinality(String), String),
    StartTimeUnix                  DateTime64(9) CODEC(Delta(8), Default),
    TimeUnix                       DateTime64(9) CODEC(Delta(8), Default),
    Count                          UInt64 CODEC(Delta(8), Default),
    Sum                            Float64,
    Scale                          Int32,
    ZeroCount                      UInt64,
    PositiveOffset                 Int32,
    PositiveBucketCounts           Array(UInt64),
    NegativeOffset                 Int32,
    NegativeBucketCounts           Array(UInt64),
    `Exemplars.FilteredAttributes` Array(Map(LowCardinality(String), String)),
    `Exemplars.TimeUnix`           Array(DateTime64(9)),
    `Exemplars.Value`              Array(Float64),
    `Exemplars.SpanId`             Array(String),
    `Exemplars.TraceId`            Array(String),
    Flags                          UInt32,
    Min                            Float64,
    Max                            Float64,
    AggregationTemporality         Int32,

    WorkspaceId                    LowCardinality(String),
    ClientId                       LowCardinality(String),
    ServiceVersion                 LowCardinality(String),
    ChunkId                        UInt64,
    ChunkRow                       UInt32 CODEC(Delta(4), Default),
    RetentionDays                  UInt16
)
ENGINE = ${engine}
PARTITION BY (toDate32(TimeUnix, 'UTC'), RetentionDays)
ORDER BY (WorkspaceId, toStartOfHour(TimeUnix), ServiceName, MetricName,
          cityHash64(Attributes), TimeUnix)
TTL if(RetentionDays = 0 OR toDate32(TimeUnix, 'UTC') >= toDate32('2090-01-01'),
       toDate('2105-12-31'),
       toDate(TimeUnix, 'UTC') + toIntervalDay(RetentionDays)),
    toDateTime(TimeUnix, 'UTC') + toIntervalSecond(5) RECOMPRESS CODEC(ZSTD(1))
SETTINGS ttl_only_drop_parts = 1, min_bytes_for_wide_part = 134217728,
         fsync_after_insert = ${fsync}, fsync_part_directory = ${fsync};

CREATE TABLE IF NOT EXISTS otel_metrics_summary${local} ${on_cluster}
(
    ResourceAttributes             Map(LowCardinality(String), String),
    ResourceSchemaUrl              String,
    ScopeName                      String,
    ScopeVersion                   String,
    ScopeAttributes                Map(LowCardinality(String), String),
    ScopeDroppedAttrCount          UInt32,
    ScopeSchemaUrl                 String,
    ServiceName                    LowCardinality(String),
    MetricName                     LowCardinality(String),
    MetricDescription              String,
    MetricUnit                     String,
    Attributes                     Map(LowCardinality(String), String),
    StartTimeUnix                  DateTime64(9) CODEC(Delta(8), Default),
    TimeUnix                       DateTime64(9) CODEC(Delta(8), Default),
    Count                          UInt64 CODEC(Delta(8), Default),
    Sum                            Float64,
    `ValueAtQuantiles.Quantile`    Array(Float64),
    `ValueAtQuantiles.Value`       Array(Float64),
    Flags                          UInt32,

    WorkspaceId                    LowCardinality(String),
    ClientId                       LowCardinality(String),
    ServiceVersion                 LowCardinality(String),
    ChunkId                        UInt64,
    ChunkRow                       UInt32 CODEC(Delta(4), Default),
    RetentionDays                  UInt16
)
ENGINE = ${engine}
PARTITION BY (toDate32(TimeUnix, 'UTC'), RetentionDays)
ORDER BY (WorkspaceId, toStartOfHour(TimeUnix), ServiceName, MetricName,
          cityHash64(Attributes), TimeUnix)
TTL if(RetentionDays = 0 OR toDate32(TimeUnix, 'UTC') >= toDate32('2090-01-01'),
       toDate('2105-12-31'),
       toDate(TimeUnix, 'UTC') + toIntervalDay(RetentionDays)),
    toDateTime(TimeUnix, 'UTC') + toIntervalSecond(5) RECOMPRESS CODEC(ZSTD(1))
SETTINGS ttl_only_drop_parts = 1, min_bytes_for_wide_part = 134217728,
         fsync_after_insert = ${fsync}, fsync_part_directory = ${fsync}
