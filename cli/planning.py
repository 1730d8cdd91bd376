"""What a load needs: processes, cores, memory, network, disk and money, from measured costs."""

import math
from dataclasses import dataclass

from config.units import MIB, S_PER_DAY, S_PER_HOUR

_RECORD_BYTES = 300
"""Of the records that were measured. Other sizes are taken to cost in proportion."""

_CPU = {
    10: (9.7, 2.6, 1.7, 6.6),
    100: (3.1, 2.2, 0.8, 8.9),
    1000: (2.5, 2.2, 0.6, 8.7),
    8000: (1.8, 2.3, 0.2, 5.7),
}
"""By records a request: microseconds a record of door, ledger's client (worker), ledger and
ClickHouse; the highest that were measured (docs/operating/sizing.md)."""

_WAITING_BYTES = 44
_STORED_BYTES = 22
_WRITTEN = 2.5
"""How often a record is written to a disk in all, merges included."""

_NEW_PART = 46 / 29
"""How much larger a record is in a new part than in a merged one."""

_DOOR_MIB = 153
_WORKER_MIB = 214
_DECODED = 3
"""Times the bytes of a batch that a worker holds while it decodes and sends it; estimated."""

_BATCH_ROWS = 50_000
"""Of an insert; `LOG_BATCH_SIZE` allows three times as many when more waits."""

_INSERT_SECONDS = 0.705 * _BATCH_ROWS / 100_000
_TWO_COPIES = 1.8
"""How much longer an insert takes that waits for a second replica."""

_WORKER_THREADS = 2
_BATCH_MIB = 128
_CLICKHOUSE_GIB_PER_CORE = 4
_FULL = 0.7
"""How full disks may be: merges write a part anew beside the old ones."""

_HOURS_A_MONTH = 730
_GB = 1e9
_GIB_IN_MIB = 1024


@dataclass(frozen=True)
class Load:
    """What comes, and what is asked of the system."""

    records_per_second: float
    bytes: int = _RECORD_BYTES
    """Of a record, uncompressed."""
    records_per_request: int = 500
    retention_days: float = 30
    replicas: int = 2
    stored_bytes: float | None = None
    """Of a record on disk, merged; by default, in proportion to `bytes`."""
    host_cores: int = 16
    """Of a ClickHouse host."""
    reserve: float = 2.0
    """Times the CPU that the load itself takes, so that a backlog is stored meanwhile."""
    outage_minutes: float = 10
    """How long ledgers hold what comes while ClickHouse is away."""


@dataclass(frozen=True)
class Prices:
    """What things cost; no currency."""

    core_hour: float = 0.04
    gib_hour: float = 0.005
    disk_gb_month: float = 0.08
    network_gb: float = 0.01


@dataclass(frozen=True)
class Part:
    """Processes of one kind."""

    name: str
    number: int
    cores: float
    """Of all of them."""
    gib: float
    """Memory of all of them."""
    each_takes: float
    """Records a second that one of them takes, without a reserve."""


@dataclass(frozen=True)
class Plan:
    """What a load needs."""

    parts: tuple[Part, ...]
    shards: int
    inserts_per_second: float
    parts_per_second: float
    """New parts in all shards that ZooKeeper registers; merges come on top."""
    network: dict[str, float]
    """By hop, GB a second."""
    disk_gb_per_day: float
    """Of one copy."""
    disk_gb: float
    """Of all copies for the whole retention, with room for merges."""
    written_gb_per_second: float
    """To the disks of all copies."""

    def monthly(self, prices: Prices) -> dict[str, float]:
        """Money a month, by what it is for; network as if all of it cost."""
        seconds = _HOURS_A_MONTH * S_PER_HOUR
        hours = _HOURS_A_MONTH
        return {
            "cores": sum(part.cores for part in self.parts) * hours * prices.core_hour,
            "memory": sum(part.gib for part in self.parts) * hours * prices.gib_hour,
            "disk": self.disk_gb * prices.disk_gb_month,
            "network": sum(self.network.values()) * seconds * prices.network_gb,
        }


def plan(load: Load) -> Plan:
    """What a load needs, estimated."""
    rate, size = load.records_per_second, load.bytes / _RECORD_BYTES
    stored = _STORED_BYTES * size if load.stored_bytes is None else load.stored_bytes
    waiting = _WAITING_BYTES * size
    door, worker, ledger, clickhouse = (cost * size for cost in costs(load.records_per_request))
    shards = _number(rate * clickhouse, load.reserve, load.host_cores)
    inserts = rate / _BATCH_ROWS
    return Plan(
        parts=(
            _part("door", rate, door, load.reserve, _DOOR_MIB),
            _ledgers(load, ledger, waiting),
            _workers(load, worker, inserts),
            _hosts(load, clickhouse, shards),
        ),
        shards=shards,
        inserts_per_second=inserts,
        parts_per_second=inserts * shards,
        network=_network(load, waiting, stored, shards),
        disk_gb_per_day=rate * S_PER_DAY * stored / _GB,
        disk_gb=rate * S_PER_DAY * stored * load.retention_days * load.replicas / _FULL / _GB,
        written_gb_per_second=rate * stored * _WRITTEN * load.replicas / _GB,
    )


def costs(records_per_request: int) -> tuple[float, float, float, float]:
    """Microseconds of door, worker, ledger and ClickHouse, as measured with requests so large.

    Between two measured sizes, the smaller one counts, so that the plan does not promise too much.
    """
    return _CPU[max((each for each in _CPU if each <= records_per_request), default=min(_CPU))]


def _number(microseconds: float, reserve: float, cores: float = 1) -> int:
    """How many are needed for so many microseconds of CPU a second."""
    return max(1, math.ceil(microseconds * reserve / 1e6 / cores))


def _part(name: str, rate: float, cost: float, reserve: float, mib: float) -> Part:
    number = _number(rate * cost, reserve)
    return Part(name, number, rate * cost * reserve / 1e6, number * mib / _GIB_IN_MIB, 1e6 / cost)


def _ledgers(load: Load, cost: float, waiting: float) -> Part:
    """One process each, with commands on one core; twice what may wait, and 256 MiB."""
    held = load.records_per_second * waiting * load.outage_minutes * 60 / MIB
    number = _number(load.records_per_second * cost, load.reserve)
    gib = (2 * held + 256 * number) / _GIB_IN_MIB
    cores = load.records_per_second * cost * load.reserve / 1e6
    return Part("ledger", number, cores, gib, 1e6 / cost)


def _workers(load: Load, cost: float, inserts: float) -> Part:
    """As many as their CPU asks for, or as wait for inserts at a time, and at least two."""
    seconds = _INSERT_SECONDS * (_TWO_COPIES if load.replicas > 1 else 1)
    waiting = math.ceil(inserts * seconds * load.reserve / _WORKER_THREADS)
    number = max(2, _number(load.records_per_second * cost, load.reserve), waiting)
    mib = _WORKER_MIB + _WORKER_THREADS * _BATCH_MIB * _DECODED
    each = min(1e6 / cost, _WORKER_THREADS * _BATCH_ROWS / seconds)
    cores = load.records_per_second * cost * load.reserve / 1e6
    return Part("worker", number, cores, number * mib / _GIB_IN_MIB, each)


def _hosts(load: Load, cost: float, shards: int) -> Part:
    """Each copy is merged by its own host, so it is taken to cost as much as the first."""
    number = shards * load.replicas
    gib = number * load.host_cores * _CLICKHOUSE_GIB_PER_CORE
    return Part("ClickHouse", number, number * load.host_cores, gib, load.host_cores * 1e6 / cost)


def _network(load: Load, waiting: float, stored: float, shards: int) -> dict[str, float]:
    """GB a second of each hop; what no figure was measured for is taken as uncompressed."""
    rate = load.records_per_second / _GB
    return {
        "clients to doors": rate * load.bytes,
        "doors to ledgers": rate * waiting,
        "ledgers to workers": rate * waiting,
        "workers to ClickHouse": rate * load.bytes,
        "to other shards": rate * load.bytes * (shards - 1) / shards,
        "to other replicas": rate * stored * _NEW_PART * (load.replicas - 1),
    }
