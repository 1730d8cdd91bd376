"""Space on the disk, which the engine needs to start and to change tables."""

import logging
import os
from pathlib import Path

from config.signals import Stop
from config.units import MIB
from embedded.errors import Code, ServerError

log = logging.getLogger(__name__)

LEAST_FREE = 32 * MIB
"""Bytes below which the engine is not started, and refuses inserts and changes of tables."""

_LOOK_SECONDS = 0.5


def wait_for_space(directory: Path, stop: Stop) -> bool:
    """Wait until the disk of a directory, which may not exist yet, has LEAST_FREE free bytes.

    Returns:
        Whether it has; False if a stop was asked for.
    """
    told = False
    while (free := _free(directory)) < LEAST_FREE:
        if not told:
            log.error(
                "waiting: the disk of %s has %d MiB free, and the built-in ClickHouse needs %d MiB "
                "to start; free some space",
                directory,
                free // MIB,
                LEAST_FREE // MIB,
            )
            told = True
        if stop.wait(_LOOK_SECONDS):
            return False
    return True


def check_space(directory: Path) -> None:
    """Check that the disk of a directory has LEAST_FREE free bytes.

    Raises:
        ServerError: It has less.
    """
    free = _free(directory)
    if free < LEAST_FREE:
        raise ServerError(
            Code.NOT_ENOUGH_SPACE,
            f"The disk has {free // MIB} MiB free, and a change of a table needs "
            f"{LEAST_FREE // MIB} MiB; free some space, or drop partitions",
        )


def _free(directory: Path) -> int:
    while not directory.exists():
        directory = directory.parent
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize
