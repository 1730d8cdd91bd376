"""The whole system, started as a user starts it."""

import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager

import psutil
import pytest
from playwright.sync_api import expect, sync_playwright

from config.settings import Settings
from tests.e2e.doors import NDJSON, Doors

START_SECONDS = 150
STOP_SECONDS = 45
_SHOWN_LINES = 200

_PORTS = (
    "OTEL_GRPC_PORT",
    "OTEL_HTTP_PORT",
    "API_PORT",
    "FLOWER_PORT",
    "CLICKHOUSE_PORT",
    "CLICKHOUSE_HTTP_PORT",
    "VALKEY_PORT",
)


class RunningSheaf:
    """A running `sheaf run`, with its addresses and processes."""

    def __init__(self, environment, folder, project_root, wait_until, runs):
        self.environment = environment
        self.data_dir = folder / "data"
        self._wait_until = wait_until
        self._runs = runs
        self._log = folder / "output.txt"
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cli.main", "run"],
                cwd=project_root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self):
        """Everything that it and earlier runs in this folder have written."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    @property
    def state(self):
        """What run.json says; empty while there is none."""
        try:
            return json.loads((self.data_dir / "run.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}

    @property
    def addresses(self):
        return self.state["addresses"]

    @property
    def ports(self):
        return self.state["ports"]

    @property
    def pids(self):
        """Process ids by the names of the Procfile."""
        return self.state["processes"]

    def wait_until_ready(self):
        def ready():
            assert self.process.poll() is None, self.output
            return self.state.get("ready") and self.state["pid"] == self.process.pid

        self._wait_until(ready, START_SECONDS)

    def everything(self):
        """The launcher and all its descendants."""
        launcher = psutil.Process(self.process.pid)
        return [launcher, *launcher.children(recursive=True)]

    def stop(self, number=signal.SIGTERM):
        """Send a signal, wait for the end, check that no process is left, return the exit code."""
        everything = self.everything()
        self.process.send_signal(number)
        code = self.process.wait(STOP_SECONDS)
        left_over = [process for process in everything if self._runs(process)]
        assert left_over == [], self.output
        return code

    def destroy(self):
        """End what a failed test left behind."""
        if self.process.poll() is None:
            everything = self.everything()
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                for process in everything:
                    if process.is_running():
                        process.kill()
                self.process.wait()


_launched = []
"""The systems that run now."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Show the output of each system with the report of a test that failed."""
    report = yield
    if report.failed:
        for running in _launched:
            lines = running.output.splitlines()[-_SHOWN_LINES:]
            report.sections.append((f"sheaf run {running.process.pid}", "\n".join(lines)))
    return report


@pytest.fixture(scope="session")
def sheaf_environment(free_port):
    """Make the environment of a separate system, on free ports; settings can be added."""

    def make(folder, **settings):
        known = {name.upper() for name in Settings.model_fields}
        environment = {
            name: value for name, value in os.environ.items() if name.upper() not in known
        }
        environment |= {name: str(free_port()) for name in _PORTS}
        environment |= {"DATA_DIR": str(folder / "data"), "LISTEN_HOST": "127.0.0.1"}
        return environment | settings

    return make


@pytest.fixture(scope="session")
def _launcher(sheaf_environment, project_root, wait_until, runs):
    @contextmanager
    def launch(folder, environment=None, **settings):
        environment = environment or sheaf_environment(folder, **settings)
        running = RunningSheaf(environment, folder, project_root, wait_until, runs)
        _launched.append(running)
        try:
            yield running
            if running.process.poll() is None:
                assert running.stop() == 0, running.output
        finally:
            _launched.remove(running)
            running.destroy()

    return launch


@pytest.fixture(scope="package")
def sheaf(_launcher, tmp_path_factory):
    """A running system that tests share; they must not stop any part of it."""
    with _launcher(tmp_path_factory.mktemp("sheaf")) as running:
        running.wait_until_ready()
        yield running


@pytest.fixture
def start_sheaf(_launcher, tmp_path):
    """Start a separate system; `folder`, `environment` and settings may be given."""
    with ExitStack() as stack:

        def start(folder=tmp_path, environment=None, **settings):
            return stack.enter_context(_launcher(folder, environment, **settings))

        yield start


@pytest.fixture
def own_sheaf(start_sheaf):
    """A separate running system; the test may kill its processes."""
    running = start_sheaf()
    running.wait_until_ready()
    return running


@pytest.fixture(scope="module")
def browser(require):
    """A real browser, headless."""
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=require("chromium"), args=["--no-sandbox"]
        )
        yield found
        found.close()


@pytest.fixture
def open_page(browser, sheaf):
    """Open an address of the running page.

    In the end, the page must not have run a script of a record, logged anything to the console,
    or loaded anything from elsewhere. Chromium logs every refused request itself: a test that
    provokes one says which status by `refused`.
    """
    home = f"http://127.0.0.1:{sheaf.environment['API_PORT']}"
    opened, problems, elsewhere, expected = [], [], [], set()

    def log(message):
        status = message.text.partition("responded with a status of ")[2][:3]
        if status not in expected:
            problems.append(message.text)

    def start(address="/", refused=(), **options):
        expected.update(map(str, refused))
        page = browser.new_page(**options)
        page.on("console", log)
        page.on("pageerror", lambda error: problems.append(f"{error}\n{error.stack}"))
        page.on("request", lambda request: elsewhere.append(request.url))
        page.goto(home + address)
        opened.append(page)
        return page

    yield start

    for page in opened:
        assert page.evaluate("window.hacked") is None
        page.close()
    assert problems == []
    assert [url for url in elsewhere if not url.startswith((f"{home}/", "blob:"))] == []


@pytest.fixture(scope="package")
def store(sheaf, wait_until):
    """Store records in a workspace through the HTTP door, and wait until they can be found."""
    doors = Doors(sheaf)

    def send(workspace, records):
        before = doors.bodies(workspace).total()
        lines = "\n".join(json.dumps(record | {"workspace_id": workspace}) for record in records)
        headers = {"X_Workspace_Id": workspace}
        status, _, content = doors.http("/api/v1/ingest", lines.encode(), NDJSON, **headers)
        assert status == 202, content
        wait_until(lambda: doors.bodies(workspace).total() == before + len(records))

    yield send
    doors.close()
