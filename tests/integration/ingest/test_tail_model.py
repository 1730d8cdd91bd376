"""Files are written, renamed, truncated and deleted while the tail is killed again and again.

The door is the real one, with a real broker; the lines in its ledger have arrived.
"""

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from celery import Celery
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from cli.tail.checkpoint import CheckpointFile
from cli.tail.lines import FORMATS
from cli.tail.request import export_request
from cli.tail.send import PROTOBUF, Reply, deliver
from cli.tail.tail import Tail
from ingest.commit.receive import Receiver
from ingest.doors.http.app import create_app

pytestmark = pytest.mark.integration

DRAINED = 100
NARROW, WIDE = "*.log", "*.log*"


class KilledError(BaseException):
    """The process is gone."""


class Fuse:
    """Kills the process at a point that was chosen before."""

    left = -1

    def point(self):
        """One place at which a process may be killed."""
        self.left -= 1
        if not self.left:
            raise KilledError


class FusedCheckpoint(CheckpointFile):
    """A checkpoint file; the process may be killed before and after it is saved."""

    def __init__(self, path, fuse):
        super().__init__(path)
        self._fuse = fuse

    def save(self, checkpoint):
        self._fuse.point()
        super().save(checkpoint)
        self._fuse.point()


@dataclass
class World:
    """A folder of logs, the tail that follows it, and the door."""

    folder: Path
    pattern: str
    client: object
    fuse: Fuse = field(default_factory=Fuse)
    faults: list = field(default_factory=list)
    written: Counter = field(default_factory=Counter)
    torn: dict = field(default_factory=dict)
    number: int = 0
    tail: Tail = None

    def restart(self):
        if self.tail:
            self.tail.close()
        self.fuse.left = -1
        kept = FusedCheckpoint(self.folder / "checkpoint.json", self.fuse)
        encode = partial(export_request, service="shop", formats=FORMATS["auto"])
        send = partial(deliver, door=self.post, pause=lambda _seconds: False)
        self.tail = Tail([str(self.folder / self.pattern)], kept, encode, send)

    def post(self, payload):
        """The door's answer; a fault may come before it, or take its place."""
        fault = self.faults.pop() if self.faults else None
        self.fuse.point()
        if fault == "full":
            return Reply(429, {"Retry-After": "1"}, b"")
        if fault == "away":
            raise OSError
        answer = self.client.post("/v1/logs", data=payload, content_type=PROTOBUF)
        self.fuse.point()
        if fault == "answer lost":
            raise OSError
        return Reply(answer.status_code, answer.headers, answer.data)

    def path(self, name):
        return self.folder / f"{name}.log"

    def write(self, name, count, torn):
        """Finish a torn line, add whole ones, and perhaps leave one torn."""
        for _ in range(count):
            self.number += 1
            text = f"{self.torn.pop(name, '')}line {self.number}"
            self.append(name, f"line {self.number}\n")
            self.written[text] += 1
        if torn:
            self.torn[name] = self.torn.get(name, "") + "torn "
            self.append(name, "torn ")

    def append(self, name, text):
        with self.path(name).open("a") as file:
            file.write(text)

    def finish(self, name):
        """End a torn line: a file is complete before it is rotated or deleted."""
        if name in self.torn:
            self.write(name, 1, torn=False)

    def rename(self, name):
        """Rotate; a name that no pattern matches is found only if the file was known before."""
        if self.path(name).exists():
            self.finish(name)
            if self.pattern == NARROW:
                self.faults = []
                self.tail.step()
            self.number += 1
            self.path(name).rename(self.folder / f"{name}.log.{self.number}")

    def truncate(self, name):
        """Truncate a file that was read to its end: unread lines would be lost."""
        if self.path(name).exists():
            self.finish(name)
            self.drain()
            with self.path(name).open("w"):
                pass

    def delete(self, name):
        if self.path(name).exists():
            self.finish(name)
            self.drain()
            self.path(name).unlink()

    def step(self, fuse, faults):
        """One round of the tail, which may be killed at the point number `fuse`."""
        self.faults = list(faults)
        self.fuse.left = fuse
        try:
            self.tail.step()
        except KilledError:
            self.restart()
        self.fuse.left = -1

    def drain(self):
        self.faults = []
        assert any(not self.tail.step() for _ in range(DRAINED))


NAMES = st.sampled_from("aaab")
FAULTS = st.lists(st.sampled_from(["full", "away", "answer lost"]), max_size=3)
OPERATIONS = st.one_of(
    st.tuples(st.just("write"), NAMES, st.integers(0, 3), st.booleans()),
    st.tuples(st.just("write"), NAMES, st.integers(1, 3), st.just(False)),
    st.tuples(st.just("rename"), NAMES),
    st.tuples(st.just("truncate"), NAMES),
    st.tuples(st.just("delete"), NAMES),
    st.tuples(st.just("restart")),
    st.tuples(st.just("step"), st.integers(0, 8), FAULTS),
    st.tuples(st.just("step"), st.integers(1, 8), st.just([])),
)


@pytest.fixture(scope="module")
def door(shared_valkey):
    """A client of the door's app."""
    from config.settings import Settings

    loaded = Settings(redis_url=shared_valkey.url, commit_interval_ms=0)
    celery = Celery("tail", broker=loaded.broker_url)
    receiver = Receiver(loaded, celery)
    receiver.start()
    yield create_app(loaded, receiver).test_client(), receiver.ledger
    receiver.stop()


def arrived(valkey, ledger):
    """Count the bodies that the ledger holds."""
    ids = [chunk_id.decode() for chunk_id in valkey.client.zrange("sheaf:ledger", 0, -1)]
    bodies = Counter()
    for chunk in ledger.fetch(ids):
        request = ExportLogsServiceRequest.FromString(chunk.otlp())
        for group in request.resource_logs:
            for scope in group.scope_logs:
                bodies.update(record.body.string_value for record in scope.log_records)
    return bodies


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    operations=st.lists(OPERATIONS, min_size=10, max_size=40),
    pattern=st.sampled_from([NARROW, WIDE]),
)
def test_what_was_written_arrives_once_whatever_is_killed_and_rotated(
    operations, pattern, door, valkey, tmp_path_factory
):
    client, ledger = door
    valkey.client.flushall()
    world = World(tmp_path_factory.mktemp("logs"), pattern, client)
    world.restart()

    for name, *arguments in operations:
        operation = getattr(world, name)
        operation(*arguments)
    for name in "ab":
        world.finish(name)
    world.restart()
    world.drain()
    world.tail.close()

    assert arrived(valkey, ledger) == world.written
