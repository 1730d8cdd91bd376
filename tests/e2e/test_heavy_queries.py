"""Many heavy queries against the running system, sent by the benchmark."""

import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.e2e

CALLERS = 40


def test_beside_heavy_queries_pages_and_records_are_answered_and_the_rest_is_told(
    own_sheaf, project_root
):
    options = f"--callers {CALLERS} --seconds 3 --records 20000 --calm 0".split()
    done = subprocess.run(
        [sys.executable, "benchmarks/heavy_queries.py", str(own_sheaf.data_dir), *options],
        cwd=project_root,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert done.returncode == 0, done.stderr

    lines = done.stdout.splitlines()
    phases = [line for line in lines if "page p95" in line]
    assert [line.split(":")[0] for line in phases] == ["before", "during", "after"]
    assert all(line.endswith("; 0 failed") for line in phases), phases

    [answers] = [line for line in lines if line.startswith("answers")]
    statuses = set(re.findall(r"(\d+):", answers))
    # Every query is answered, and none with 500.
    assert statuses <= {"200", "422", "503"}, answers
    assert "200" in statuses
    assert "Traceback" not in own_sheaf.output

    memory = [line for line in lines if " MiB, at most " in line]
    assert {line.split(":")[0] for line in memory} == set(own_sheaf.pids)
