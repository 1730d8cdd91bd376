import pytest

from ingest import memory
from ingest.memory import Memory


class Clock:
    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(memory, "time", clock)
    return clock


def test_an_id_is_known_for_its_time_and_forgotten_after_twice_that(clock):
    known = Memory(10)
    known.add("a", "noted")
    clock.now += 9
    known.add("b")
    assert known.get("a") == "noted"
    clock.now += 10
    assert "b" in known
    clock.now += 2
    assert "a" not in known


def test_a_long_silence_forgets_everything(clock):
    known = Memory(10)
    known.add("a")
    clock.now += 20
    assert "a" not in known
    assert len(known) == 0


def test_adding_again_renews(clock):
    known = Memory(10)
    known.add("a")
    known.add("b")
    clock.now += 11
    known.add("a")
    clock.now += 10
    assert "b" not in known
    assert "a" in known


def test_the_oldest_go_when_there_are_too_many():
    known = Memory(10, most=4)
    for number in range(5):
        known.add(str(number))
    assert [str(number) in known for number in range(5)] == [False, False, True, True, True]


def test_what_is_discarded_is_forgotten():
    known = Memory(10)
    known.add("a")
    known.discard("a")
    known.discard("never there")
    assert "a" not in known
