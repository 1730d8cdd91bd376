"""Traces: lists, one trace, statistics of spans, the waterfall."""
