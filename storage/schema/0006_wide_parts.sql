ALTER TABLE otel_logs${local} ${on_cluster}
    MODIFY SETTING min_level_for_wide_part = 1, min_bytes_for_wide_part = 8388608,
                   vertical_merge_algorithm_min_rows_to_activate = 1;

ALTER TABLE otel_traces${local} ${on_cluster}
    MODIFY SETTING min_level_for_wide_part = 1, min_bytes_for_wide_part = 8388608,
                   vertical_merge_algorithm_min_rows_to_activate = 1;

ALTER TABLE otel_metrics_gauge${local} ${on_cluster}
    MODIFY SETTING min_level_for_wide_part = 1, min_bytes_for_wide_part = 8388608,
                   vertical_merge_algorithm_min_rows_to_activate = 1;

ALTER TABLE otel_metrics_sum${local} ${on_cluster}
    MODIFY SETTING min_level_for_wide_part = 1, min_bytes_for_wide_part = 8388608,
                   vertical_merge_algorithm_min_rows_to_activate = 1;

ALTER TABLE otel_metrics_histogram${local} ${on_cluster}
    MODIFY SETTING min_level_for_wide_part = 1, min_bytes_for_wide_part = 8388608,
                   vertical_merge_algorithm_min_rows_to_activate = 1;

ALTER TABLE otel_metrics_exponential_histogram${local} ${on_cluster}
    MODIFY SETTING min_level_for_wide_part = 1, min_bytes_for_wide_part = 8388608,
                   vertical_merge_algorithm_min_rows_to_activate = 1;

ALTER TABLE otel_metrics_summary${local} ${on_cluster}
    MODIFY SETTING min_level_for_wide_part = 1, min_bytes_for_wide_part = 8388608,
                   vertical_merge_algorithm_min_rows_to_activate = 1
