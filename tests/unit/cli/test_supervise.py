import os
import signal
import threading

import pytest

from cli.errors import StartError, StopAskedError
from cli.keeper import running


@pytest.fixture
def watched(supervise, stops):
    """Start the commands and watch them in this thread, while `act` runs in another."""

    def watch(commands, act):
        supervisor = supervise(commands)
        for name in commands:
            supervisor.start(name)

        def acting():
            try:
                act(supervisor)
            finally:
                stops.append("stop")

        thread = threading.Thread(target=acting)
        thread.start()
        try:
            supervisor.watch(lambda: None)
        finally:
            stops.append("stop")
            thread.join()
        return supervisor

    return watch


def test_lines_carry_the_name_of_the_process_that_wrote_them(supervise, stream, wait_until):
    supervisor = supervise({"api": "echo hello; echo trouble >&2; exec sleep 60"})
    supervisor.start("api")
    wait_until(lambda: stream.getvalue().count("\n") == 2)

    first, second = stream.getvalue().splitlines()
    assert first.endswith("api   | hello")
    assert second.endswith("api   | trouble")


def test_a_process_that_dies_is_started_again(watched, notes, wait_until, stream):
    def kill_once(supervisor):
        wait_until(notes)
        os.kill(supervisor.pids["beat"], signal.SIGKILL)
        wait_until(lambda: notes().count(("beat", "started")) == 2)

    watched({"beat": notes.command("beat")}, kill_once)
    assert "beat died, killed by SIGKILL; restarting it in 0.5 s (1 of 5)" in stream.getvalue()


def test_what_a_dead_process_left_in_its_group_is_killed_before_the_restart(
    watched, notes, wait_until
):
    def kill_parent(supervisor):
        wait_until(lambda: ("child", "started") in notes())
        os.kill(supervisor.pids["grpc"], signal.SIGKILL)
        wait_until(lambda: notes().count(("child", "started")) == 2)

    child = notes.command("child").removeprefix("exec ")
    watched({"grpc": f"{child} & wait"}, kill_parent)

    # A note is a name, what happened, and the process id.
    first_note = notes.path.read_text().splitlines()[0]
    _, _, pid = first_note.split()
    assert not running(int(pid))


def test_who_waits_for_a_restart_is_not_killed_again_because_its_id_may_be_anothers(
    watched, stream, wait_until, monkeypatch
):
    supervisor = watched(
        {"http": "exit 3"}, lambda _: wait_until(lambda: "restarting it" in stream.getvalue())
    )
    killed = []
    monkeypatch.setattr("cli.stop.kill_group", killed.append)
    assert supervisor.stop() == []
    assert killed == []


def test_a_process_that_keeps_dying_ends_the_watch_with_its_exit_code(
    supervise, stream, monkeypatch
):
    monkeypatch.setattr("cli.supervise._FIRST_PAUSE_SECONDS", 0.001)
    supervisor = supervise({"http": "exit 3"})
    supervisor.start("http")
    with pytest.raises(StartError, match="http died, exit code 3, after 5 restarts"):
        supervisor.watch(lambda: None)
    assert stream.getvalue().count("restarting it") == 5


def test_a_dispensable_process_that_keeps_dying_is_given_up_and_the_others_go_on(
    supervise, notes, stops, stream, wait_until, monkeypatch
):
    monkeypatch.setattr("cli.supervise._FIRST_PAUSE_SECONDS", 0.001)
    supervisor = supervise({"http": notes.command("http"), "flower": "exit 3"}, {"flower"})
    supervisor.start("http")
    supervisor.start("flower")
    known = []

    def note():
        known.append(set(supervisor.pids))
        if known[-1] == {"http"}:
            stops.append("stop")

    supervisor.watch(note)
    assert known == [{"http", "flower"}] * 5 + [{"http"}]
    assert "flower died, exit code 3, after 5 restarts: continuing without it" in stream.getvalue()

    wait_until(lambda: ("http", "started") in notes())
    assert supervisor.stop() == []
    assert notes()[-1] == ("http", "ended")


def test_a_process_that_ends_while_others_are_awaited_is_named(supervise):
    supervisor = supervise({"api": "exit 4"})
    supervisor.start("api")
    with pytest.raises(StartError, match="api ended while starting, exit code 4"):
        supervisor.wait_until({"api": lambda: False}, 30)


def test_what_does_not_get_ready_is_named(supervise):
    ready = {"grpc": lambda: True, "http": lambda: False, "worker": lambda: False}
    with pytest.raises(StartError, match=r"Not ready after 0 s: http and worker\."):
        supervise({}).wait_until(ready, 0.1)


def test_a_stop_asked_for_while_waiting_ends_the_wait(supervise, stops):
    stops.append("stop")
    with pytest.raises(StopAskedError):
        supervise({}).wait_until({"http": lambda: False}, 30)


def test_processes_stop_in_the_order_of_the_way_of_a_record(supervise, notes, wait_until):
    names = ["clickhouse", "valkey", "grpc", "api", "worker", "beat"]
    supervisor = supervise({name: notes.command(name) for name in names})
    for name in names:
        supervisor.start(name)
    wait_until(lambda: len(notes()) == len(names))

    assert supervisor.stop() == []

    ended = [name for name, event in notes() if event == "ended"]
    assert ended == ["grpc", "beat", "worker", "api", "valkey", "clickhouse"]


def test_a_process_that_ignores_the_stop_is_killed_and_named(
    supervise, notes, wait_until, monkeypatch
):
    from cli import stop

    quick = tuple(stop.Stage(stage.names, 0.2) for stage in stop.STAGES)
    monkeypatch.setattr("cli.stop.STAGES", quick)
    supervisor = supervise({"flower": notes.command("flower", linger=-1)})
    supervisor.start("flower")
    wait_until(notes)

    assert supervisor.stop() == ["flower"]


def test_asking_again_hurries(supervise, notes, wait_until, stops):
    names = ["worker", "valkey"]
    supervisor = supervise({name: notes.command(name, linger=-1) for name in names})
    for name in names:
        supervisor.start(name)
    wait_until(lambda: len(notes()) == 2)

    stops.append("first")
    asking_again = threading.Timer(0.1, stops.append, ["second"])
    asking_again.start()

    assert supervisor.stop() == names
    asking_again.join()
