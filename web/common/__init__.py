"""What requests for logs, traces and metrics have in common: tenant, time range, fields."""
