"""Checks that ClickHouse has free disk space."""

from config.units import MIB
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import QueryRefusedError, UnavailableError


class NoSpaceError(UnavailableError):
    """ClickHouse's disks have too little free space."""


def free_space(clickhouse: Clickhouse) -> int | None:
    """Free bytes on the disk of ClickHouse that has most; object storage always has space.

    None if ClickHouse's user may not ask for it.

    Raises:
        StorageError: ClickHouse does not answer.
    """
    try:
        [(free,)] = clickhouse.query("SELECT max(free_space) FROM system.disks")
    except QueryRefusedError:
        # At least it answers.
        return None
    return int(free)


def disk_size(clickhouse: Clickhouse) -> int | None:
    """Bytes of the disk of ClickHouse that has most free; as :func:`free_space`."""
    try:
        [(size,)] = clickhouse.query("SELECT argMax(total_space, free_space) FROM system.disks")
    except QueryRefusedError:
        return None
    return int(size)


def check_space(clickhouse: Clickhouse, least: int) -> None:
    """Check that ClickHouse has room for more rows.

    Args:
        clickhouse: the connection.
        least: bytes that must be free on at least one disk.

    Raises:
        NoSpaceError: no disk has that much free space.
        StorageError: ClickHouse does not answer.
    """
    free = free_space(clickhouse)
    if free is not None and free < least:
        raise NoSpaceError(
            f"ClickHouse is short of disk space: {free // MIB:,} MiB free, less than "
            f"DISK_MIN_FREE ({least // MIB:,} MiB); free or add space, or keep less "
            "(RETENTION_DAYS, RETAIN_MAX_BYTES)"
        )
