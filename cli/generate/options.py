"""The options of `sheaf generate`, apart from what they start."""

import argparse
from datetime import UTC, datetime


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to the parser of the command."""
    add = parser.add_argument
    add("--file", metavar="FILE", help="append lines of the request log there; - for stdout")
    add("--door", default="http", choices=["http", "grpc"], help="else send OTLP (%(default)s)")
    add("--endpoint", help="the door's address, if it is not this machine's")
    add("--batch-size", type=_count, help="records a batch (LOG_BATCH_SIZE if set, else 100)")
    add("--interval", type=_seconds, help="seconds between batches (LOG_INTERVAL_SECONDS)")
    add("--max", type=_count_or_none, help="records in all, 0: no end (MAX_LOGS_TO_GENERATE)")
    add("--customers", type=_count, default=10, help="how many there are (%(default)s)")
    add("--seed", type=int, help="make the same customers, routes, statuses and durations again")
    add("--start", type=_time, metavar="TIME", help="first timestamp, ISO 8601 in UTC (now)")
    add("--service", default="generated", help="service.name of the records (%(default)s)")
    add("--workspace", default="default", help="workspace (%(default)s)")
    add("--client", default="default", help="client within the workspace (%(default)s)")


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def _count_or_none(text: str) -> int:
    return 0 if text == "0" else _count(text)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError("must be 0 or more")
    return seconds


def _time(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
