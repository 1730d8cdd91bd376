"""`sheaf plan`: the arithmetic, and what the documentation shows of it."""

import dataclasses
import math
import re
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.main import main
from cli.planning import Load, Prices, costs, plan
from tests.blocks import ROOT, checked_by

MILLION = Load(1_000_000)

loads = st.builds(
    Load,
    records_per_second=st.floats(1, 1e8),
    bytes=st.integers(50, 10_000),
    records_per_request=st.integers(1, 100_000),
    retention_days=st.floats(0.1, 1000),
    replicas=st.integers(1, 3),
)


def part(needed, name):
    [found] = [each for each in needed.parts if each.name == name]
    return found


@given(loads)
def test_more_records_never_need_less(load):
    more = plan(dataclasses.replace(load, records_per_second=2 * load.records_per_second))
    needed = plan(load)
    for before, after in zip(needed.parts, more.parts, strict=True):
        assert after.number >= before.number
        assert after.cores >= before.cores
        assert after.gib >= before.gib
    assert more.disk_gb == pytest.approx(2 * needed.disk_gb)
    assert sum(more.network.values()) >= 2 * sum(needed.network.values()) * 0.999


@given(loads)
def test_as_many_of_each_part_as_planned_take_the_load(load):
    needed = plan(load)
    for each in needed.parts:
        copies = load.replicas if each.name == "ClickHouse" else 1
        assert each.number / copies * each.each_takes >= load.records_per_second * 0.999
    assert part(needed, "ClickHouse").number == needed.shards * load.replicas


@given(st.integers(1, 1_000_000))
def test_a_request_costs_as_much_as_the_next_smaller_one_that_was_measured(records):
    measured = max((each for each in (10, 100, 1000, 8000) if each <= records), default=10)
    assert costs(records) == costs(measured)


def test_a_million_records_a_second_by_hand():
    needed = plan(MILLION)
    assert needed.disk_gb_per_day == pytest.approx(1e6 * 86_400 * 22 / 1e9)
    assert needed.disk_gb == pytest.approx(needed.disk_gb_per_day * 30 * 2 / 0.7)
    assert part(needed, "door").number == math.ceil(3.1 * 2)
    assert part(needed, "ledger").number == math.ceil(0.8 * 2)
    assert needed.shards == math.ceil(8.9 * 2 / 16)
    assert needed.network["workers to ClickHouse"] == pytest.approx(0.3)


def test_the_reserve_multiplies_cores_and_nothing_else():
    once, twice = (plan(dataclasses.replace(MILLION, reserve=reserve)) for reserve in (1, 2))
    assert part(twice, "door").cores == pytest.approx(2 * part(once, "door").cores)
    assert once.disk_gb == twice.disk_gb


def test_one_replica_needs_no_network_to_others():
    alone = plan(dataclasses.replace(MILLION, replicas=1))
    assert alone.network["to other replicas"] == 0
    assert alone.disk_gb == pytest.approx(plan(MILLION).disk_gb / 2)


def test_each_price_is_paid_for_its_own_thing():
    needed = plan(MILLION)
    names = [field.name for field in dataclasses.fields(Prices)]
    free = dict.fromkeys(names, 0.0)
    for name in names:
        money = needed.monthly(Prices(**free | {name: 1.0}))
        assert len([what for what, paid in money.items() if paid]) == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--records-per-second", "0"], "--records-per-second: '0' must be a number above 0"),
        (["--records-per-second", "many"], "'many' must be a number above 0"),
        (["--records-per-second", "inf"], "'inf' must be a number above 0"),
        (["--records-per-second=1", "--replicas=1.5"], "'1.5' must be a whole number above 0"),
        ([], "--records-per-second"),
    ],
)
def test_a_wrong_option_is_named_with_what_it_must_be(capsys, arguments, reason):
    with pytest.raises(SystemExit) as ended:
        main(["plan", *arguments])
    assert ended.value.code == 2
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize("block", checked_by("test_the_documented_plan_is_printed"), ids=str)
def test_the_documented_plan_is_printed(capsys, block):
    for command, shown in block.commands:
        assert main(shlex.split(command)[1:]) == 0
        assert capsys.readouterr().out.rstrip("\n") == shown.rstrip("\n")


def test_the_costs_are_those_of_the_guide():
    page = (ROOT / "docs/operating/sizing.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\d,]+) \|(( [\d.]+( to [\d.]+)? \|){5})$", page, re.MULTILINE)
    assert rows
    for records, figures, *_ in rows:
        cells = figures.strip("| ").split("|")[:4]
        door, worker, ledger, clickhouse = (float(cell.split(" to ")[-1]) for cell in cells)
        assert costs(int(records.replace(",", ""))) == (door, worker, ledger, clickhouse)


def test_prices_can_be_given(capsys):
    main(["plan", "--records-per-second", "1000", "--price-core-hour", "1e6"])
    assert re.search(r"^cores +[\d,]{10,}$", capsys.readouterr().out, re.MULTILINE)
