"""Every benchmark still runs, with little data."""

import json
import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.integration


def lines_of(project_root, script, *arguments):
    """The lines that a benchmark prints."""
    done = subprocess.run(
        [sys.executable, f"benchmarks/{script}", *arguments],
        cwd=project_root,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(("script", "shapes"), [("decode.py", 7), ("decode_signals.py", 10)])
def test_decoding_prints_a_line_for_each_shape(project_root, script, shapes):
    head, *lines = lines_of(project_root, script, "1", "0.01")
    assert "columnar" in head
    assert len(lines) == shapes

    figures = re.findall(r"\d+\.\d+", "\n".join(lines))
    assert all(float(figure) > 0 for figure in figures)


def test_redaction_prints_a_line_for_each_set_of_rules(project_root):
    head, *lines = lines_of(project_root, "redaction.py", "1", "0.01")
    assert "µs of CPU a record" in head
    assert len(lines) == 7
    assert all(float(line.split()[-1]) > 0 for line in lines)


def test_patterns_prints_a_line_for_each_data_set_and_the_speed(project_root, tmp_path):
    labels = ["in"] * 5 + ["out"] * 2
    lines = [f"login of {name} from 10.0.0.1" for name in "abcde"] + ["5 left", "7 left"]
    labelled = [f"{label}\t{line}\n" for label, line in zip(labels, lines, strict=True)]
    tmp_path.joinpath("right.tsv").write_text("".join(labelled))
    tmp_path.joinpath("half.tsv").write_text("".join([*labelled, "in\t9 left\n"]))

    given = (str(tmp_path), "--records", "7000", "--repeats", "1")
    _, _, half, right, mean, _, *others = lines_of(project_root, "patterns.py", *given)
    assert half == "| half | 0.000 | 0.000 | 2 / 2 | 1.0000 |"
    assert right == "| right | 1.000 | 1.000 | 2 / 2 | 1.0000 |"
    assert mean.startswith("| **mean** | **0.500** | **0.500** |")
    assert re.match(r"7,000 records of 8 lines: 2 patterns in \d", others[-2])
    assert others[-1].startswith("2 filters find 7,000 records, their patterns have 7,000;")


@pytest.mark.parametrize(("script", "questions"), [("queries.py", 36), ("rollups.py", 10)])
def test_reading_prints_a_line_for_each_question(project_root, script, questions):
    lines = lines_of(project_root, script, "--rows", "200000", "--repeats", "1")
    asked = [line for line in lines if re.fullmatch(r"\| [^|]+ \|.*\d+ \|.*", line)]
    assert len(asked) == questions, lines


def test_the_live_tail_prints_what_its_readers_cost(project_root):
    lines = lines_of(project_root, "live.py", "--readers", "2", "--seconds", "2", "--pairs", "1")
    assert re.search(r"alone, [\d.]+ with 2 readers", lines[-2]), lines
    assert re.match(r"ratio \d+\.\d+", lines[-1]), lines


def test_comparing_prints_and_keeps_figures_of_both_and_their_ratio(project_root, tmp_path):
    shape = "1,000 records, 1 calls"
    given = ("--pairs", "1", "--records", "8000", "--shapes", shape, "--results", str(tmp_path))
    lines = lines_of(project_root, "bench.py", *given)

    systems = [line.split(" | ")[1] for line in lines if line.startswith(f"| {shape} ")]
    assert systems == ["Sheaf", "Rotel"]
    assert re.fullmatch(r"\| \| \*\*ratio\*\* (\| \*\*\d+\.\d\d\*\* ){3}\| *\| *\| *\|", lines[-2])
    assert not re.search("refused|missing|doubled", "\n".join(lines))

    [kept] = tmp_path.glob("*.json")
    [turns] = json.loads(kept.read_text())["runs"].values()
    assert {name: len(runs) for name, runs in turns.items()} == {"Sheaf": 1, "Rotel": 1}


def test_growth_prints_a_line_for_each_turn_and_the_ratio(project_root):
    given = ("--system", "Rotel", "--turn", "2", "--records", "40000", "--pairs", "1")
    _, _, *lines = lines_of(project_root, "growth.py", *given)
    assert [line.split(" | ")[0] for line in lines] == [
        "| 1",
        "| first of an empty table",
        "| 2",
        "| **ratio**",
    ]


def test_durability_prints_what_each_setting_costs(project_root):
    lines = lines_of(project_root, "durability.py", "--rounds", "1", "--records", "2000")
    found = [re.match(r"(\w+=\w+) +\d+\.\d ms +\d+\.\d\d x", line) for line in lines]
    assert [match[1] for match in found if match] == [
        "APPENDFSYNC=everysec",
        "APPENDFSYNC=always",
        "FSYNC_PARTS=false",
        "FSYNC_PARTS=true",
    ]


def test_what_is_written_is_printed_by_process_and_by_cause(project_root):
    lines = lines_of(project_root, "writes.py", "--seconds", "5")
    assert re.match(r"10,000 log records at 2,000/s, \d+\.\d bytes stored for each", lines[0])
    written = {
        name: float(figure.replace(",", ""))
        for name, figure in re.findall(
            r"^\| ([^|]+) \| ([\d,.]+) \|", "\n".join(lines), re.MULTILINE
        )
    }
    assert written["all"] > 0.9 * (written["engine"] + written["broker"]) > 0
    assert written["all tables"] >= written["otel_logs, inserted"] > 0
    assert written["broker"] >= written["chunks"] > 0
