"""`sheaf run`: starts the Procfile's processes in order, restarts them, stops them in order."""

import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from honcho.environ import parse_procfile

from access.audit import AuditError
from cli.announce import announcement, clear, publish
from cli.errors import StartError, StopAskedError
from cli.folder import claim
from cli.keeper import Keeper
from cli.keys import first_key
from cli.output import Output
from cli.ports import check_free
from cli.ready import Probe, process_probes, server_probes
from cli.supervise import Supervisor
from config import logging
from config.settings import Settings
from ledger.shared import SharedError
from storage.clickhouse.errors import StorageError
from storage.schema.migrate import migrate
from storage.schema.state import SchemaError

READY_SECONDS = 60.0

_SAME_SIGNAL_SECONDS = 0.5
_SERVERS = ("clickhouse", "valkey")
# Flower looks for workers only once, when it starts.
_LAST = ("flower",)
# It only monitors, no record needs it.
_DISPENSABLE = ("flower",)


def run(settings: Settings) -> int:
    """Run Sheaf until a signal stops it.

    Returns:
        The exit code: 0 after an orderly stop, 1 if Sheaf could not start, a process kept dying,
        or one did not stop in time.
    """
    logging.configure(settings)
    try:
        procfile = find_procfile()
        commands = wanted(parse_procfile(procfile.read_text(encoding="utf-8")).processes, settings)
        with (
            claim(settings.data_dir) as lock,
            _counted_signals() as signals,
            Output(commands, sys.stdout) as output,
        ):
            check_free(settings)
            keeper = Keeper(procfile.parent, lock, output.reading_ends.values())
            supervisor = Supervisor(
                commands,
                environment=environment(settings),
                folder=procfile.parent,
                output=output,
                keeper=keeper,
                stop_requests=lambda: len(signals),
                dispensable=_DISPENSABLE,
            )
            try:
                return _run(settings, commands, supervisor, output)
            finally:
                keeper.dismiss()
    except StartError as error:
        print(error, file=sys.stderr)
        return 1


def _run(
    settings: Settings, commands: dict[str, str], supervisor: Supervisor, output: Output
) -> int:
    code = 0
    try:
        key = _boot(settings, commands, supervisor)
        output.block(announcement(settings, key))
        supervisor.watch(lambda: publish(settings, supervisor.pids, ready=True))
    except StopAskedError:
        pass
    except (StartError, StorageError, SchemaError, SharedError, AuditError, TimeoutError) as error:
        output.say(str(error))
        code = 1
    output.say("stopping; press Ctrl-C again to hurry")
    killed = supervisor.stop()
    clear(settings)
    for name in killed:
        output.say(f"{name} did not stop in time and was killed")
    output.say("stopped")
    return 1 if killed else code


def _boot(settings: Settings, commands: dict[str, str], supervisor: Supervisor) -> str:
    """Start everything in order; gives the first key, if one was made."""

    def start(names: Iterable[str], probes: Mapping[str, Probe]) -> None:
        for name in names:
            supervisor.start(name)
        publish(settings, supervisor.pids, ready=False)
        supervisor.wait_until(probes, READY_SECONDS)

    start([name for name in commands if name in _SERVERS], server_probes(settings))
    migrate(settings)
    key = first_key(settings)
    probes = process_probes(settings)
    for names in _phases(commands):
        start(names, {name: probes[name] for name in names if name in probes})
    publish(settings, supervisor.pids, ready=True)
    return key


def _phases(commands: Mapping[str, str]) -> Iterator[list[str]]:
    """The names of Sheaf's own processes, in the groups in which they start."""
    yield [name for name in commands if name not in {*_SERVERS, *_LAST}]
    yield [name for name in commands if name in _LAST]


def find_procfile() -> Path:
    """The Procfile beside the source, else the one in the current folder.

    Raises:
        StartError: There is none.
    """
    for folder in (Path(__file__).resolve().parent.parent, Path.cwd()):
        if (folder / "Procfile").is_file():
            return folder / "Procfile"
    raise StartError("There is no Procfile here: run `sheaf run` in the folder of Sheaf's source.")


def wanted(commands: dict[str, str], settings: Settings) -> dict[str, str]:
    """The commands to run, without servers that are external by the settings."""
    left_out = set()
    if not settings.embedded_clickhouse:
        left_out.add("clickhouse")
    if not settings.embedded_valkey:
        left_out.add("valkey")
    return {name: command for name, command in commands.items() if name not in left_out}


def environment(settings: Settings) -> dict[str, str]:
    """The environment of every process: ours, with this interpreter's folder first in PATH.

    Variables that the Procfile expands are set even if they have their defaults.
    """
    programs = str(Path(sys.executable).parent)
    return os.environ | {
        "PATH": programs + os.pathsep + os.environ.get("PATH", os.defpath),
        "DATA_DIR": str(settings.data_dir.absolute()),
        "FLOWER_PORT": str(settings.flower_port),
        "PYTHONUNBUFFERED": "1",
    }


@contextmanager
def _counted_signals() -> Iterator[list[float]]:
    """Collect the signals that request a stop, instead of dying from them."""
    seen: list[float] = []

    def note(_number: int, _frame: FrameType | None) -> None:
        # A signal to the process group may arrive twice: directly, and forwarded by make.
        if not seen or time.monotonic() - seen[-1] > _SAME_SIGNAL_SECONDS:
            seen.append(time.monotonic())

    stopping = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, note) for number in stopping}
    try:
        yield seen
    finally:
        for number, action in before.items():
            signal.signal(number, action)
