"""What Flower shows, against what a real worker says of itself."""

import json
import re
import urllib.request
from collections import Counter

import pytest
from celery import Celery

from tasks import announce
from tasks.announce import Hint
from tests.chaos import processes
from tests.chaos.processes import Process
from tests.chaos.system import WORKER, WORKER_OPTIONS
from tests.integration.conftest import listens
from tests.integration.made_logs import entry

pytestmark = pytest.mark.integration

QUICK = ("sheaf.sweep", announce.JOB_TASK, "sheaf.rollups")
TURNS = 80
_EVENTS = re.compile(r'flower_events_total\{task="([^"]*)",type="task-([^"]*)",worker="[^"]*"\}')


@pytest.fixture
def settings(stores):
    return stores(log_batch_timeout=0.1)


@pytest.fixture
def run(settings, tmp_path):
    """Start processes of a system with these settings."""
    changed = settings.model_dump(exclude_defaults=True, exclude={"data_dir"})
    named = {name.upper(): str(value) for name, value in changed.items()}
    named["FLOWER_UNAUTHENTICATED_API"] = "true"
    made = []

    def start(name, *command):
        environment = processes.environment(tmp_path, **named)
        made.append(Process(name, processes.python(*command), environment, tmp_path))
        made[-1].start()

    yield start
    for each in made:
        each.kill()


@pytest.fixture
def app(settings):
    """Sends Celery's messages."""
    made = Celery("client", broker=settings.broker_url)
    made.conf.update(task_default_queue="sheaf", task_ignore_result=True)
    yield made
    made.close()


class Flower:
    def __init__(self, port):
        self._address = f"http://127.0.0.1:{port}"

    def _get(self, path):
        with urllib.request.urlopen(self._address + path, timeout=10) as answer:
            return answer.read().decode()

    def knows_the_worker(self):
        return "flower_worker_online{" in self._get("/metrics")

    def counts(self):
        """How many tasks of which name were told of, by event."""
        found = Counter()
        for line in self._get("/metrics").splitlines():
            if match := _EVENTS.match(line):
                found[match.groups()] += int(float(line.rpartition(" ")[2]))
        return found

    def tasks(self):
        return list(json.loads(self._get("/api/tasks?limit=10000")).values())


def test_flower_counts_what_the_worker_counts_and_shows_sentences(
    run, ledger, free_port, wait_until, app, clickhouse
):
    port = free_port()
    flower = Flower(port)
    run("flower", *WORKER[:5], "flower", f"--port={port}", "--address=127.0.0.1")
    wait_until(lambda: listens(port), 60)
    run("worker", *WORKER, *WORKER_OPTIONS)
    wait_until(flower.knows_the_worker, 60)
    for turn in range(TURNS):
        ledger.accept([entry([f"{turn}"])])
        Hint("logs", 1, 1, 80, "id").send(app)
        for task in QUICK:
            app.send_task(task)
    kinds = ("received", "started", "succeeded")
    names = (announce.STORE_TASK, *QUICK)

    def at_rest():
        counts = flower.counts()
        # A sweep may hint by itself.
        stored = counts[announce.STORE_TASK, "received"]
        wanted = dict.fromkeys(QUICK, TURNS) | {announce.STORE_TASK: max(stored, TURNS)}
        return all(counts[name, kind] == wanted[name] for name in names for kind in kinds)

    wait_until(at_rest, 60)
    wait_until(lambda: not ledger.waiting.stats().waiting_chunks)
    [own] = app.control.inspect(timeout=10).stats().values()
    counts = flower.counts()
    assert own["total"] == {name: counts[name, "received"] for name in names}
    assert {task["state"] for task in flower.tasks()} == {"SUCCESS"}
    shown = {(task["name"], task["args"]) for task in flower.tasks()}
    assert (announce.STORE_TASK, "1 log in 1 chunk, 80 bytes") in shown
    assert clickhouse.query("SELECT count() FROM otel_logs") == [(TURNS,)]
