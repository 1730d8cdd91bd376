"""pytest-celery's nodes as local processes instead of Docker containers.

A node needs little from its container: whether it is ready, its log, to kill it and to start it
again. A process offers all of that.
"""

import signal

from pytest_celery import CeleryTestBroker, CeleryTestNode, CeleryTestWorker

from tests.chaos import processes
from tests.chaos.processes import Process

CELERY = ("-m", "celery", "--quiet", "-A", "tasks.app")
WORKER = (*CELERY, "worker", "--pool", "threads", "--loglevel", "warning")
WORKER_OPTIONS = ("--without-gossip", "--without-mingle")
BEAT = (*CELERY, "beat", "--loglevel", "warning", "--pidfile=")


class ProcessContainer:
    """A process in the place of a node's container."""

    def __init__(self, process, celeryconfig=None, is_ready=lambda: True):
        """Run `process`; `is_ready` says whether it can be used."""
        self.process = process
        self.celeryconfig = celeryconfig or {}
        self._is_ready = is_ready

    @property
    def id(self):
        return str(self.process.pid)

    @property
    def name(self):
        return self.process.name

    @property
    def status(self):
        return "running" if self.process.alive else "exited"

    def ready(self):
        return self.process.alive and self.process.stoppable and self._is_ready()

    def logs(self):
        return self.process.log

    def kill(self, signal="SIGKILL"):
        self.process.end(_number(signal))

    def restart(self, timeout):
        if self.process.alive:
            self.process.terminate(timeout)
        self.process.start()

    def reload(self):
        """Nothing to fetch: the status of a process is always known."""

    def teardown(self):
        self.process.kill()


class BrokerNode(CeleryTestBroker):
    """A Valkey."""


class ValkeyContainer:
    """A shared Valkey in the place of a node's container."""

    def __init__(self, valkey):
        self._valkey = valkey
        self.name = "valkey"
        self.id = str(valkey.process.pid)
        self.celeryconfig = {"url": valkey.url, "host_url": valkey.url}

    def ready(self):
        return self._valkey.answers()

    def teardown(self):
        """Nothing to stop: all tests of the session share it."""


class ProcessNode(CeleryTestNode):
    """A process of Sheaf, started when a test needs it."""

    def start(self):
        self.container.process.start()


class WorkerNode(ProcessNode, CeleryTestWorker):
    """A worker of Sheaf."""

    def hostname(self):
        """The name of the node in Celery's events."""
        return self.name()


def node(kind, name, command, settings, folder):
    """A node that is not started yet.

    Args:
        kind: The class of the node.
        name: The name of the process.
        command: Arguments of Python.
        settings: Sheaf's settings; those that differ from the defaults are passed on.
        folder: Folder of the process's files and its log.
    """
    changed = settings.model_dump(exclude_defaults=True, exclude={"data_dir"})
    variables = {name.upper(): str(value) for name, value in changed.items()}
    environment = processes.environment(folder, **variables)
    process = Process(name, processes.python(*command), environment, folder)
    return kind(ProcessContainer(process), None)


def _number(named):
    return signal.Signals[named] if isinstance(named, str) else named
