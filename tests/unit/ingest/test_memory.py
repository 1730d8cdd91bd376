from ingest import memory
from ingest.memory import Memory


class Clock:
    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


def test_an_id_is_known_for_its_time_and_no_longer(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(memory, "time", clock)
    known = Memory(10)
    known.add("a")
    clock.now += 9
    known.add("b")
    assert "a" in known
    clock.now += 2
    assert "a" not in known
    assert "b" in known
    assert len(known) == 1


def test_adding_again_renews(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(memory, "time", clock)
    known = Memory(10)
    known.add("a")
    known.add("b")
    clock.now += 6
    known.add("a")
    clock.now += 6
    assert "b" not in known
    assert "a" in known


def test_the_oldest_go_when_there_are_too_many(monkeypatch):
    monkeypatch.setattr(memory, "_MOST", 3)
    known = Memory(10)
    for number in range(5):
        known.add(str(number))
    assert [str(number) in known for number in range(5)] == [False, False, True, True, True]


def test_what_is_discarded_is_forgotten():
    known = Memory(10)
    known.add("a")
    known.discard("a")
    known.discard("never there")
    assert "a" not in known
