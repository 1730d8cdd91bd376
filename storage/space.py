"""Whether ClickHouse has room to store anything."""

from storage.client import Clickhouse
from storage.errors import QueryRefusedError, UnavailableError

_MIB = 1024 * 1024


class NoSpaceError(UnavailableError):
    """ClickHouse's disks are full."""


def check_space(clickhouse: Clickhouse, least: int) -> None:
    """Ask ClickHouse whether it could store rows now.

    Args:
        clickhouse: where to ask.
        least: how many bytes must be free on one of its disks; those of object stores always are.

    Raises:
        NoSpaceError: no disk has so much left.
        UnavailableError: ClickHouse does not answer.
    """
    try:
        [(free,)] = clickhouse.query("SELECT max(free_space) FROM system.disks")
    except QueryRefusedError:
        # A user of ClickHouse's who may not see the disks; that it answers is known all the same.
        return
    if free < least:
        raise NoSpaceError(
            f"ClickHouse's disk is full: {free // _MIB} MiB are free, "
            f"less than DISK_MIN_FREE ({least // _MIB} MiB)"
        )
