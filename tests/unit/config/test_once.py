import threading

import pytest

from config.once import Once


def test_threads_that_need_it_at_once_get_the_same_and_it_is_built_once():
    count = 7
    all_started, may_be_built = threading.Barrier(count + 1), threading.Event()
    built, received = [], []

    @Once
    def thing():
        built.append(object())
        may_be_built.wait(10)
        return built[-1]

    def need():
        all_started.wait()
        received.append(thing())

    threads = [threading.Thread(target=need) for _ in range(count)]
    for thread in threads:
        thread.start()
    all_started.wait()
    may_be_built.set()
    for thread in threads:
        thread.join()

    assert len(built) == 1
    assert received == built * count
    assert thing.is_built


def test_what_failed_is_tried_again():
    outcomes = [ValueError("not yet"), 7]

    @Once
    def thing():
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    with pytest.raises(ValueError, match="not yet"):
        thing()

    assert thing() == 7
    assert thing() == 7
