"""What Flower shows agrees with the statistics of a real worker."""

import json
import re
import urllib.request
from collections import Counter

import pytest

from tasks import hints as announce
from tasks.hints import Hint
from tests.celery_nodes import CELERY, ProcessNode, node
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
def start_flower(settings, tmp_path, free_port, wait_until, monkeypatch):
    """Start Flower, and return a client of it."""
    monkeypatch.setenv("FLOWER_UNAUTHENTICATED_API", "true")
    port, made = free_port(), []

    def start():
        command = (*CELERY, "flower", f"--port={port}", "--address=127.0.0.1")
        made.append(node(ProcessNode, "flower", command, settings, tmp_path))
        made[-1].start()
        wait_until(lambda: listens(port))
        return Flower(port)

    yield start
    for each in made:
        each.teardown()


class Flower:
    def __init__(self, port):
        self._address = f"http://127.0.0.1:{port}"

    def _get(self, path):
        with urllib.request.urlopen(self._address + path, timeout=10) as answer:
            return answer.read().decode()

    def knows_the_worker(self):
        return "flower_worker_online{" in self._get("/metrics")

    def counts(self):
        """How many events came, by task name and kind of event."""
        found = Counter()
        for line in self._get("/metrics").splitlines():
            match = _EVENTS.match(line)
            if match:
                value = line.rpartition(" ")[2]
                found[match.groups()] += int(float(value))
        return found

    def tasks(self):
        return list(json.loads(self._get("/api/tasks?limit=10000")).values())


def test_flower_counts_what_the_worker_counts_and_shows_sentences(
    start_flower, celery_setup, ledger, wait_until, clickhouse
):
    flower, app = start_flower(), celery_setup.app
    celery_setup.worker.start()
    wait_until(flower.knows_the_worker)

    for turn in range(TURNS):
        ledger.accept([entry([f"{turn}"])])
        Hint("logs", 1, 1, 80, "id").send(app)
        for task in QUICK:
            app.send_task(task)

    kinds = ("received", "started", "succeeded")
    names = (announce.STORE_TASK, *QUICK)

    def at_rest():
        counts = flower.counts()
        # A sweep may send hints of its own.
        stored = counts[announce.STORE_TASK, "received"]
        wanted = dict.fromkeys(QUICK, TURNS) | {announce.STORE_TASK: max(stored, TURNS)}
        return all(counts[name, kind] == wanted[name] for name in names for kind in kinds)

    wait_until(at_rest)
    wait_until(lambda: not ledger.waiting.stats().waiting_chunks)
    [by_worker] = app.control.inspect(timeout=10).stats().values()
    counts = flower.counts()

    assert by_worker["total"] == {name: counts[name, "received"] for name in names}
    assert {task["state"] for task in flower.tasks()} == {"SUCCESS"}

    shown = {(task["name"], task["args"]) for task in flower.tasks()}
    assert (announce.STORE_TASK, "1 log in 1 chunk, 80 bytes") in shown
    assert clickhouse.query("SELECT count() FROM otel_logs") == [(TURNS,)]
