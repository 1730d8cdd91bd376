import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(("script", "shapes"), [("decode.py", 7), ("decode_signals.py", 10)])
def test_a_benchmark_of_decoding_prints_a_line_for_each_shape(project_root, script, shapes):
    done = subprocess.run(
        [sys.executable, f"benchmarks/{script}", "1", "0.01"],
        cwd=project_root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    head, *lines = done.stdout.splitlines()
    assert "columnar" in head
    assert len(lines) == shapes
    assert all(float(figure) > 0 for line in lines for figure in re.findall(r"\d+\.\d+", line))
