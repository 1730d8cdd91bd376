"""Log records: pages, counts, facets, patterns, exports, the live tail."""
