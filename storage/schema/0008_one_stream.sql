ALTER TABLE otel_logs${local} ${on_cluster} MODIFY SETTING string_serialization_version = 'single_stream';

ALTER TABLE otel_traces${local} ${on_cluster} MODIFY SETTING string_serialization_version = 'single_stream';

ALTER TABLE otel_traces_trace_id_ts${local} ${on_cluster} MODIFY SETTING string_serialization_version = 'single_stream';

ALTER TABLE otel_metrics_gauge${local} ${on_cluster} MODIFY SETTING string_serialization_version = 'single_stream';

ALTER TABLE otel_metrics_sum${local} ${on_cluster} MODIFY SETTING string_serialization_version = 'single_stream';

ALTER TABLE otel_metrics_histogram${local} ${on_cluster} MODIFY SETTING string_serialization_version = 'single_stream';

ALTER TABLE otel_metrics_exponential_histogram${local} ${on_cluster} MODIFY SETTING string_serialization_version = 'single_stream';

ALTER TABLE otel_metrics_summary${local} ${on_cluster} MODIFY SETTING string_serialization_version = 'single_stream'
