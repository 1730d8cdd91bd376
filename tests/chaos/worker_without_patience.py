"""A worker that publishes for the live tail once, whatever comes of it; the tail must be silent."""

import sys

from celery.__main__ import main

from tasks.live import LivePublisher

LivePublisher._until_answered = lambda _self, call: call()

if __name__ == "__main__":
    sys.exit(main())
