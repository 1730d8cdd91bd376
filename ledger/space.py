"""The stores' free space: the broker's disk, if it is the embedded Valkey, and its memory."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from config.settings import Settings
from config.units import MIB
from ledger.broker import Broker, BrokerError, BrokerFullError
from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import StorageError
from storage.clickhouse.space import free_space

BROKER, CLICKHOUSE = "broker", "clickhouse"

_NEARLY_FULL = 0.95
"""Share of `maxmemory`; scripts that make room still run in the rest."""


class BrokerShortError(BrokerFullError):
    """The broker has too little free space to take more; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Memory:
    """The broker's memory, in bytes."""

    used: int
    most: int
    """Its `maxmemory`; 0: no limit."""


def free_disk(settings: Settings) -> int | None:
    """Free bytes on the disk of the embedded Valkey; None if the broker is another, or unknown."""
    if not settings.embedded_valkey:
        return None
    for folder in (settings.data_dir / "valkey", settings.data_dir):
        try:
            found = os.statvfs(folder)
        except OSError:
            continue
        return found.f_bavail * found.f_frsize
    return None


def check_disk(settings: Settings) -> None:
    """Check that the embedded Valkey can write its file. Raises BrokerShortError."""
    free, least = free_disk(settings), settings.broker_min_free
    if free is not None and free < least:
        raise BrokerShortError(
            f"the broker is short of disk space: {free // MIB:,} MiB free in "
            f"{settings.data_dir}, less than BROKER_MIN_FREE ({least // MIB:,} MiB); "
            "free or add space there"
        )


def memory(broker: Broker) -> Memory:
    """The broker's memory. Raises the broker's errors."""
    with broker.reading() as client:
        found = client.info("memory")
    return Memory(int(found["used_memory"]), int(found.get("maxmemory", 0)))


def check_memory(broker: Broker) -> None:
    """Check that the broker's memory is not nearly full.

    Raises:
        BrokerShortError: it is.
        BrokerError: the broker does not answer.
    """
    found = memory(broker)
    if found.most and found.used >= _NEARLY_FULL * found.most:
        raise BrokerShortError(
            f"the broker's memory is full: {found.used // MIB:,} of {found.most // MIB:,} MiB "
            "used; raise its maxmemory, or see why records wait"
        )


@dataclass(frozen=True, slots=True)
class Space:
    """The free space of both stores as far as it is known, in bytes, and which are short of it."""

    clickhouse_free: int | None = None
    broker_free: int | None = None
    broker_memory: int | None = None
    broker_max_memory: int | None = None
    short: Mapping[str, bool] = field(default_factory=dict)
    """By store."""


def space_of(settings: Settings, broker: Broker, clickhouse: Clickhouse) -> Space:
    """The free space of both stores now; what a store does not tell is None."""
    short = {}
    used = free = None
    with suppress(BrokerError):
        used = memory(broker)
        short[BROKER] = _is_short(lambda: check_disk(settings)) or (
            _is_short(lambda: check_memory(broker))
        )
    with suppress(StorageError):
        free = free_space(clickhouse)
        short[CLICKHOUSE] = free is not None and free < settings.disk_min_free
    return Space(
        clickhouse_free=free,
        broker_free=free_disk(settings),
        broker_memory=used.used if used else None,
        broker_max_memory=used.most if used else None,
        short=short,
    )


def _is_short(check: Callable[[], None]) -> bool:
    try:
        check()
    except BrokerShortError:
        return True
    return False
