ALTER TABLE otel_traces_trace_id_ts${local} ${on_cluster}
    ADD INDEX IF NOT EXISTS idx_trace_ids TraceId TYPE bloom_filter(0.0001) GRANULARITY 1;

ALTER TABLE otel_traces_trace_id_ts${local} ${on_cluster}
    MATERIALIZE INDEX IF EXISTS idx_trace_ids SETTINGS mutations_sync = 0;

ALTER TABLE otel_traces_trace_id_ts${local} ${on_cluster}
    DROP INDEX IF EXISTS idx_trace_id SETTINGS alter_sync = 0
