"""`sheaf generate`: generating log records."""

import argparse
import random
import sys
import time
from itertools import islice

from tqdm import tqdm

from cli.errors import StartError, StopAskedError
from cli.generate.request_log import moments, request_lines
from cli.generate.target import Write, writer
from config import logging
from config.settings import Settings
from config.signals import Stop, stop_signals
from ingest.status import RefusedError

_DEFAULT_BATCH = 100


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Generate until there are enough, or a signal arrives; returns the exit code."""
    logging.configure(settings)
    try:
        with stop_signals() as stop, writer(settings, options, stop) as write:
            _generate(settings, options, write, stop)
    except StopAskedError:
        return 0
    except (StartError, RefusedError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def batch_size(settings: Settings, given: int | None) -> int:
    """Records per batch: as given, else LOG_BATCH_SIZE if the environment sets it, else 100.

    The setting's default is the maximum number of rows of an insert, far too many for a request.
    """
    if given is not None:
        return given
    named = "log_batch_size" in settings.model_fields_set
    return settings.log_batch_size if named else _DEFAULT_BATCH


def _generate(settings: Settings, options: argparse.Namespace, write: Write, stop: Stop) -> None:
    most = settings.max_logs_to_generate if options.max is None else options.max
    interval = settings.log_interval_seconds if options.interval is None else options.interval
    size = batch_size(settings, options.batch_size)
    source = random.Random(options.seed)  # noqa: S311 - made-up customers need no secrecy
    times = moments(options.start, interval / size)
    lines = request_lines(source, options.customers, times)
    made, due = 0, time.monotonic()
    with tqdm(total=most or None, unit="log", file=sys.stderr) as bar:
        while (not most or made < most) and not stop.wait(max(0.0, due - time.monotonic())):
            count = min(size, most - made) if most else size
            write(list(islice(lines, count)))
            bar.update(count)
            made += count
            due += interval
