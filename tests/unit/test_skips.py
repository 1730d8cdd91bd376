"""A skipped test fails in CI."""

import os
import subprocess
import sys

import pytest

TESTS = """
import pytest

def test_skips():
    pytest.skip("no engine here")

@pytest.mark.skip(reason="by mark")
def test_marked(): ...

def test_program(require):
    require("a-program-that-is-nowhere")

@pytest.mark.xfail(reason="known")
def test_known():
    assert False

def test_passes(require):
    assert require("sh")
"""

MODULE = """
import pytest
pytest.skip("whole module", allow_module_level=True)
"""


@pytest.fixture
def outcome(tmp_path, project_root):
    conftest = (project_root / "tests" / "conftest.py").read_text()
    (tmp_path / "conftest.py").write_text(conftest)
    (tmp_path / "test_some.py").write_text(TESTS)
    (tmp_path / "test_module.py").write_text(MODULE)

    def run(**variables):
        environment = {name: value for name, value in os.environ.items() if name != "CI"}
        environment |= variables
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-rs", "--continue-on-collection-errors", tmp_path],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def test_outside_of_ci_skips_are_reported_and_pass(outcome):
    ended = outcome()
    assert ended.returncode == 0, ended.stdout
    assert "1 passed, 4 skipped, 1 xfailed" in ended.stdout


def test_in_ci_each_skip_fails_with_its_reason(outcome):
    ended = outcome(CI="true")
    assert ended.returncode != 0
    assert "skipped" not in ended.stdout.splitlines()[-1]
    for reason in ("no engine here", "by mark", "needs the program", "whole module"):
        assert f"this was: Skipped: {reason}" in ended.stdout
