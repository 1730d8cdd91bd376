"""`sheaf plan`: what a load needs, as tables."""

import argparse
import math
from collections.abc import Callable, Sequence

from cli.planning import Load, Plan, Prices, plan

_NOTE = "Estimates from costs that were measured on one machine of two cores: measure your own."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sheaf plan`."""
    option = parser.add_argument
    option("--records-per-second", type=_number(float), required=True, metavar="N")
    option("--bytes", type=_number(int), default=Load.bytes, help="of a record, uncompressed")
    option(
        "--records-per-request", type=_number(int), default=Load.records_per_request, metavar="N"
    )
    option("--retention-days", type=_number(float), default=Load.retention_days, metavar="N")
    option("--replicas", type=_number(int), default=Load.replicas, help="of each shard")
    option(
        "--stored-bytes",
        type=_number(float),
        metavar="N",
        help="of a record on disk, merged; by default, as much less than BYTES as was measured",
    )
    option("--host-cores", type=_number(int), default=Load.host_cores, help="of a ClickHouse host")
    option("--reserve", type=_number(float), default=Load.reserve, help="times the CPU of the load")
    option(
        "--outage-minutes",
        type=_number(float),
        default=Load.outage_minutes,
        metavar="N",
        help="how long ledgers hold what comes while ClickHouse is away",
    )
    for name in Prices.__dataclass_fields__:
        option(f"--price-{name.replace('_', '-')}", type=_number(float), metavar="PRICE")


def run(options: argparse.Namespace) -> int:
    """Print what a load needs; returns the exit code."""
    chosen = vars(options)
    load = Load(**{name: chosen[name] for name in Load.__dataclass_fields__})
    given = {name: chosen[f"price_{name}"] for name in Prices.__dataclass_fields__}
    prices = Prices(**{name: price for name, price in given.items() if price is not None})
    print(text(load, plan(load), prices))
    return 0


def text(load: Load, needed: Plan, prices: Prices) -> str:
    """The tables."""
    money = needed.monthly(prices)
    parts = [
        (each.name, each.number, each.cores, each.gib, _thousands(each.each_takes))
        for each in needed.parts
    ]
    blocks = [
        _NOTE,
        _head(load),
        _table(("", "number", "cores", "memory GiB", "records/s each, at most"), parts),
        _table(
            ("ClickHouse", ""),
            [
                ("shards", needed.shards),
                ("inserts/s", needed.inserts_per_second),
                ("new parts/s in ZooKeeper", needed.parts_per_second),
                ("disk, GB a day and copy", needed.disk_gb_per_day),
                ("disk, GB in all", needed.disk_gb),
                ("written, GB/s in all", needed.written_gb_per_second),
            ],
        ),
        _table(("network", "GB/s"), list(needed.network.items())),
        _table(("a month", "money"), [*money.items(), ("all", sum(money.values()))]),
    ]
    return "\n\n".join(blocks)


def _head(load: Load) -> str:
    return (
        f"{_thousands(load.records_per_second)} records/s of {load.bytes} bytes, "
        f"{load.records_per_request} a request, kept {load.retention_days:g} days on "
        f"{load.replicas} {'replica' if load.replicas == 1 else 'replicas'}"
    )


def _table(head: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> str:
    lines = [head, *(tuple(map(_shown, row)) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _shown(value: object) -> str:
    if isinstance(value, float):
        return _thousands(value) if value >= 100 else f"{value:.2g}"  # noqa: PLR2004 - two digits
    return f"{value:,}" if isinstance(value, int) else str(value)


def _thousands(value: float) -> str:
    return f"{value:,.0f}"


def _number(kind: Callable[[str], float]) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not 0 < value < math.inf:
            number = "whole number" if kind is int else "number"
            raise argparse.ArgumentTypeError(f"{text!r} must be a {number} above 0")
        return value

    return parse
