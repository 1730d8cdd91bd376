"""A worker that never looks for waiting chunks unasked; without beat, the oracle must notice."""

import sys

from celery.__main__ import main

from tasks.batches import RowBatches

RowBatches.look = lambda _self: None

if __name__ == "__main__":
    sys.exit(main())
