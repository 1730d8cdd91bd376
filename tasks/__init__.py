"""From the queue to the table: chunks, the ledger, batches, and what Celery runs."""
