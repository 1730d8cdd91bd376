"""Fixtures of all tests: waiting for conditions, free ports, no skipped tests in CI."""

import fcntl
import logging
import os
import random
import shutil
import socket
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import settings

# A property does not fail because the machine is busy.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

_PROJECT_ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def project_root():
    return _PROJECT_ROOT


@pytest.fixture(scope="session")
def wait_until():
    """Call a condition until it returns something true, and return that."""

    def wait(condition, seconds=60.0, pause=0.02):
        deadline = time.monotonic() + seconds
        while True:
            found = condition()
            if found:
                return found
            if time.monotonic() > deadline:
                name = getattr(condition, "__name__", repr(condition))
                pytest.fail(f"{name} did not come true within {seconds:g} s")
            time.sleep(pause)

    return wait


@pytest.fixture(scope="session")
def free_port():
    """Find a loopback port that nothing listens on; no call returns the same port twice.

    Two test processes of one user never get the same port either, although a server may take
    seconds to bind it: each port is a locked byte of a file that they share. The ports are below
    the range of outgoing connections, so that none of these takes a port before it is used.
    """
    # Not the shared generator, which property tests seed.
    source = random.SystemRandom()
    given = set()
    path = Path(tempfile.gettempdir()) / f"sheaf-test-ports-{os.getuid()}"
    with path.open("ab") as taken:

        def find():
            while True:
                port = source.randrange(20_000, 32_000)
                if port not in given and _locked(taken, port) and _free(port):
                    given.add(port)
                    return port

        yield find


def _locked(taken, port):
    try:
        fcntl.lockf(taken, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


def _free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@pytest.fixture(scope="session")
def require():
    """Find a program that a test needs; without it the test is skipped, or fails in CI."""

    def find(program):
        path = shutil.which(program)
        if path is None:
            pytest.skip(f"needs the program {program}")
        return path

    return find


@pytest.fixture(scope="module")
def provider(require, tmp_path_factory, free_port, wait_until):
    """A running OpenID Connect provider, to be configured by the test."""
    # Not for all tests: this file is also copied to where the module is not.
    from tests.glewlwyd import Glewlwyd

    folder = tmp_path_factory.mktemp("provider")
    running = Glewlwyd(require("glewlwyd"), folder, free_port())
    wait_until(running.answers)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def runs():
    """Whether a `psutil.Process` runs; a zombie does not."""

    def look(process):
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    return look


@pytest.fixture(autouse=True)
def _root_logger_as_found():
    """Restore the root logger after each test, since a command's output ends with the test."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    for added in set(root.handlers) - set(handlers):
        root.removeHandler(added)


def pytest_terminal_summary(terminalreporter):
    """Print the lines that tests have reported, even those of tests that passed."""
    lines = []
    for reports in terminalreporter.stats.values():
        for report in reports:
            properties = getattr(report, "user_properties", None) or ()
            lines += [line for name, line in properties if name == "said" and report.when == "call"]
    if lines:
        terminalreporter.section("said")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    report = yield
    return _not_in_ci(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    report = yield
    return _not_in_ci(report)


def _not_in_ci(report):
    expected_failure = hasattr(report, "wasxfail")
    if report.skipped and not expected_failure and os.environ.get("CI"):
        report.outcome = "failed"
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.longrepr = f"In CI nothing may be skipped, and this was: {reason}"
    return report
