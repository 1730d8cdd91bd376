"""Reading log records: filters, pages, counts."""
