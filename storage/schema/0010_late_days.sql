ALTER TABLE otel_logs${local} ${on_cluster} ADD COLUMN IF NOT EXISTS LateDays UInt16 AFTER RetentionDays;

ALTER TABLE otel_traces${local} ${on_cluster} ADD COLUMN IF NOT EXISTS LateDays UInt16 AFTER RetentionDays;

ALTER TABLE otel_traces_trace_id_ts${local} ${on_cluster} ADD COLUMN IF NOT EXISTS LateDays UInt16 AFTER RetentionDays;

ALTER TABLE otel_metrics_gauge${local} ${on_cluster} ADD COLUMN IF NOT EXISTS LateDays UInt16 AFTER RetentionDays;

ALTER TABLE otel_metrics_sum${local} ${on_cluster} ADD COLUMN IF NOT EXISTS LateDays UInt16 AFTER RetentionDays;

ALTER TABLE otel_metrics_histogram${local} ${on_cluster} ADD COLUMN IF NOT EXISTS LateDays UInt16 AFTER RetentionDays;

ALTER TABLE otel_metrics_exponential_histogram${local} ${on_cluster} ADD COLUMN IF NOT EXISTS LateDays UInt16 AFTER RetentionDays;

ALTER TABLE otel_metrics_summary${local} ${on_cluster} ADD COLUMN IF NOT EXISTS LateDays UInt16 AFTER RetentionDays
