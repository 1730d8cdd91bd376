"""Checks that ClickHouse has free disk space."""

from config.units import MIB
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import QueryRefusedError, UnavailableError


class NoSpaceError(UnavailableError):
    """ClickHouse's disks are full."""


def check_space(clickhouse: Clickhouse, least: int) -> None:
    """Check that ClickHouse has room for more rows.

    Args:
        clickhouse: the connection.
        least: bytes that must be free on at least one disk; object storage always has space.

    Raises:
        NoSpaceError: no disk has that much free space.
        UnavailableError: ClickHouse does not answer.
    """
    try:
        [(free,)] = clickhouse.query("SELECT max(free_space) FROM system.disks")
    except QueryRefusedError:
        # The ClickHouse user may not read the disks. At least it answers.
        return
    if free < least:
        raise NoSpaceError(
            f"ClickHouse's disk is full: {free // MIB} MiB free, "
            f"less than DISK_MIN_FREE ({least // MIB} MiB)"
        )
