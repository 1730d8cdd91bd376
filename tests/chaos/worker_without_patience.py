"""A worker that publishes for the live tail without retrying; the tail must miss records."""

import sys

from celery.__main__ import main

from ledger.live import LivePublisher

LivePublisher._until_answered = lambda _self, call: call()

if __name__ == "__main__":
    sys.exit(main())
