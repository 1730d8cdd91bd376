"""The turns as a table, saved with a description of the machine."""

import json
import os
import platform
import statistics
from datetime import UTC, datetime
from pathlib import Path

from turn import Run

Results = dict[str, dict[str, list[Run]]]
"""Turns by shape and system."""


def _table(results: Results) -> str:
    """Medians, and the ratios pair by pair, as Markdown."""
    lines = [
        (
            "| shape | | acknowledged/s | end to end/s | CPU µs a record | answer p50 / p99 ms "
            "| queryable p50 / p99 ms | peak MiB |"
        ),
        "|---|---|---|---|---|---|---|---|",
    ]
    for shape, runs in results.items():
        for name, turns in runs.items():
            lines.append(f"| {shape} | {name} | {_row(turns)} |")
        if len(runs) == 2:
            first, second = runs.values()
            lines.append(f"| | **ratio** | {_ratios(first, second)} |")
    return "\n".join(lines)


def _median(turns: list[Run], of: str) -> float:
    return statistics.median(getattr(run, of) for run in turns)


def _row(turns: list[Run]) -> str:
    parts = ", ".join(
        f"{part} {statistics.fmean(run.cpu[part] for run in turns):.1f}" for part in turns[0].cpu
    )
    pairs = [
        " / ".join(
            f"{statistics.median(getattr(run, of)[index] for run in turns):,.0f}"
            for index in (0, 1)
        )
        for of in ("answer_ms", "queryable_ms")
    ]
    return (
        f"{_median(turns, 'acknowledged'):,.0f} | {_median(turns, 'end_to_end'):,.0f} "
        f"| {_cpu(turns):.1f} ({parts}) | {pairs[0]} | {pairs[1]} "
        f"| {max(run.memory for run in turns) / 2**20:,.0f}"
    )


def _ratios(first: list[Run], second: list[Run]) -> str:
    def ratio(of: str) -> str:
        pairs = zip(first, second, strict=True)
        return f"**{statistics.median(getattr(a, of) / getattr(b, of) for a, b in pairs):.2f}**"

    cpu = _cpu(first) / _cpu(second)
    return f"{ratio('acknowledged')} | {ratio('end_to_end')} | **{cpu:.2f}** | | | "


def _cpu(turns: list[Run]) -> float:
    """The mean: merges come in lumps, a large one in some turns and none in others."""
    return statistics.fmean(run.total_cpu for run in turns)


def _machine() -> str:
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, {platform.system()}, "
        f"Python {platform.python_version()}"
    )


def keep(results: Results, folder: Path, pairs: int, *, in_readme: bool) -> None:
    """Print the table and write it and the figures of every turn into `folder`."""
    today = datetime.now(tz=UTC)
    head = (
        f"{today:%Y-%m-%d}, {_machine()}; medians of {pairs} turns each, ratios pair by pair; "
        "CPU: means.\n\n"
    )
    text = head + _table(results) + "\n"
    print("\n" + text)
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"{today:%Y-%m-%d-%H%M}"
    stem.with_suffix(".md").write_text(text)
    raw = {
        shape: {name: [vars(run) for run in turns] for name, turns in runs.items()}
        for shape, runs in results.items()
    }
    stem.with_suffix(".json").write_text(json.dumps({"machine": _machine(), "runs": raw}, indent=1))
    if in_readme:
        readme = Path(__file__).with_name("README.md")
        before, rest = readme.read_text().split("<!-- bench:begin -->")
        after = rest.split("<!-- bench:end -->")[1]
        readme.write_text(f"{before}<!-- bench:begin -->\n{text}<!-- bench:end -->{after}")
