"""The benchmarks still run: each once, with little to do."""

import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.integration


def lines_of(project_root, script, *arguments):
    """What a benchmark prints."""
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
    assert all(float(figure) > 0 for line in lines for figure in re.findall(r"\d+\.\d+", line))


@pytest.mark.parametrize(("script", "questions"), [("queries.py", 34), ("rollups.py", 10)])
def test_reading_prints_a_line_for_each_question(project_root, script, questions):
    lines = lines_of(project_root, script, "--rows", "200000", "--repeats", "1")
    asked = [line for line in lines if re.fullmatch(r"\| [^|]+ \|.*\d+ \|.*", line)]
    assert len(asked) == questions, lines


def test_the_live_tail_prints_what_its_readers_cost(project_root):
    lines = lines_of(project_root, "live.py", "--readers", "2", "--seconds", "2", "--pairs", "1")
    assert re.search(r"alone, [\d.]+ with 2 readers", lines[-2]), lines
    assert re.match(r"ratio \d+\.\d+", lines[-1]), lines
