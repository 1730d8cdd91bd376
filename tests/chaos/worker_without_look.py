"""A worker without the presence check; the oracle must notice."""

import sys

from celery.__main__ import main

from storage.lifecycle import presence

presence.missing = lambda _clickhouse, _table, rows, _time="Timestamp": rows

if __name__ == "__main__":
    sys.exit(main())
