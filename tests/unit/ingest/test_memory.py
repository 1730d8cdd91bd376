import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.commit import memory
from ingest.commit.memory import Memory


class Clock:
    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture(scope="module")
def clock():
    made = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "time", made)
        yield made


@given(st.lists(st.tuples(st.floats(0, 25), st.integers(0, 3)), max_size=30))
def test_an_id_is_known_for_its_time_at_least_and_for_twice_that_at_most(clock, steps):
    known = Memory(10)
    added = {}
    for wait, number in steps:
        clock.now += wait

        for each, at in added.items():
            age = clock.now - at
            if age < 10:
                assert each in known
            if age > 20:
                assert each not in known

        known.add(str(number))
        added[str(number)] = clock.now
        assert str(number) in known


def test_an_id_may_carry_a_note_which_lives_as_long(clock):
    known = Memory(10)
    known.add("a", note="chunk-1")
    known.add("b")

    clock.now += 9
    assert (known.get("a"), known.get("b"), known.get("c")) == ("chunk-1", None, None)

    clock.now += 9
    assert known.get("a") == "chunk-1"

    known.add("a", note="chunk-2")
    assert known.get("a") == "chunk-2"

    clock.now += 21
    assert known.get("a") is None


def test_there_are_never_more_than_the_most_and_the_youngest_stay():
    known = Memory(10, most=10)
    for number in range(100):
        known.add(str(number))
        assert len(known) <= 10
    assert all(str(number) in known for number in range(95, 100))


def test_what_is_discarded_is_forgotten():
    known = Memory(10)
    known.add("a")
    known.discard("a")
    known.discard("never there")
    assert "a" not in known
