"""The options of `sheaf generate`, without the imports that running it needs."""

import argparse
from datetime import UTC, datetime


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to the parser of the command."""
    add = parser.add_argument
    add("--file", metavar="FILE", help="append request log lines to FILE; - for stdout")
    add("--door", default="http", choices=["http", "grpc"], help="OTLP door (default: %(default)s)")
    add("--endpoint", help="address of the door (default: this machine's)")
    add("--batch-size", type=_count, help="records per batch (default: LOG_BATCH_SIZE, else 100)")
    add("--interval", type=_seconds, help="seconds between batches (default: LOG_INTERVAL_SECONDS)")
    add("--max", type=_count_or_none, help="total, 0: no end (default: MAX_LOGS_TO_GENERATE)")
    add("--customers", type=_count, default=10, help="number of customers (default: %(default)s)")
    add("--seed", type=int, help="repeat the same customers, routes, statuses and durations")
    add("--start", type=_time, metavar="TIME", help="first time, ISO 8601 in UTC (default: now)")
    add("--service", default="generated", help="service.name of the records (default: %(default)s)")
    add("--workspace", default="default", help="workspace (default: %(default)s)")
    add("--client", default="default", help="client within the workspace (default: %(default)s)")


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
