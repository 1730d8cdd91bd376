"""`sheaf migrate`: the newest schema, for deployments that do not use `sheaf run`."""

import sys
import time

from cli.errors import StartError
from cli.ready import clickhouse_answers
from config import logging
from config.settings import Settings
from storage.clickhouse.errors import StorageError
from storage.schema.migrate import migrate as apply
from storage.schema.state import SchemaError

WAIT_SECONDS = 60


def migrate(settings: Settings, *, wait: bool) -> int:
    """Apply what is missing and return the exit code; with `wait`, wait for ClickHouse first."""
    logging.configure(settings)
    deadline = time.monotonic() + (WAIT_SECONDS if wait else 0)
    try:
        while not clickhouse_answers(settings) and time.monotonic() < deadline:
            time.sleep(0.2)
        apply(settings)
    except (StartError, StorageError, SchemaError, TimeoutError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0
