"""What all tests share: conditions instead of sleeps, free ports, no silent skips in CI."""

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

# A busy machine is no counterexample to a property.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

_PROJECT_ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def project_root():
    return _PROJECT_ROOT


@pytest.fixture(scope="session")
def wait_until():
    """Call `condition` until it gives something true, and give that back."""

    def wait(condition, seconds=60.0, pause=0.02):
        deadline = time.monotonic() + seconds
        while True:
            if found := condition():
                return found
            if time.monotonic() > deadline:
                what = getattr(condition, "__name__", repr(condition))
                pytest.fail(f"{what} did not come true within {seconds:g} s")
            time.sleep(pause)

    return wait


@pytest.fixture(scope="session")
def free_port():
    """A loopback port that nothing listens on; no call gives the same port twice.

    Nor does one of another process that runs tests of this user: a server may take seconds until
    it binds its port, so each port is a locked byte of a file that all of them share. The ports
    lie below those that the kernel gives to outgoing connections, so that none of those takes a
    port between this look and its use.
    """
    # Of its own: property tests seed the one that all share.
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
    """The path of a program that a test needs; without it the test is skipped, in CI it fails."""

    def find(program):
        path = shutil.which(program)
        if path is None:
            pytest.skip(f"needs the program {program}")
        return path

    return find


@pytest.fixture(scope="session")
def runs():
    """Whether a `psutil.Process` runs; one that only waits for its parent's look does not."""

    def look(process):
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    return look


@pytest.fixture(autouse=True)
def _root_logger_as_found():
    """Take back what a test's commands do to the root logger, whose output ends with the test."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    for added in set(root.handlers) - set(handlers):
        root.removeHandler(added)


def pytest_terminal_summary(terminalreporter):
    """Print what tests said of themselves, also those that passed."""
    lines = [
        line
        for reports in terminalreporter.stats.values()
        for each in reports
        for name, line in (getattr(each, "user_properties", None) or ())
        if name == "said" and each.when == "call"
    ]
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
