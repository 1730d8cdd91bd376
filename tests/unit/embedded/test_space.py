"""Space that the built-in ClickHouse needs, to start and to change tables."""

import logging

import pytest

from config.signals import Stop
from config.units import MIB
from embedded import space
from embedded.errors import Code, ServerError


@pytest.fixture
def stop():
    made = Stop()
    yield made
    made.close()


@pytest.fixture
def free(monkeypatch):
    """What the disk has free at each look."""

    def set_to(*looks):
        left = list(looks)
        monkeypatch.setattr(space, "_free", lambda _: left.pop(0))
        monkeypatch.setattr(space, "_LOOK_SECONDS", 0)

    return set_to


def test_it_starts_when_there_is_space(tmp_path, stop, free, caplog):
    free(0, 5 * MIB, 40 * MIB)
    assert space.wait_for_space(tmp_path, stop)
    [line] = caplog.messages
    assert line == (
        f"waiting: the disk of {tmp_path} has 0 MiB free, and the built-in ClickHouse needs 32 MiB "
        "to start; free some space"
    )


def test_nothing_is_said_if_there_is_space(tmp_path, stop, caplog):
    caplog.set_level(logging.DEBUG)
    assert space.wait_for_space(tmp_path / "not" / "made" / "yet", stop)
    assert not caplog.messages


def test_a_stop_ends_the_waiting(tmp_path, stop, free):
    free(0, 0)
    stop.ask()
    assert not space.wait_for_space(tmp_path, stop)


def test_without_space_no_table_is_changed(tmp_path, free):
    free(3 * MIB, 32 * MIB)
    with pytest.raises(ServerError, match="has 3 MiB free, and a change") as caught:
        space.check_space(tmp_path)
    assert caught.value.code == Code.NOT_ENOUGH_SPACE
    space.check_space(tmp_path)
