import threading

import pytest

from config.once import Once


def test_threads_that_need_it_at_once_get_the_same_and_it_is_built_once():
    started, goes_on, built = threading.Barrier(8), threading.Event(), []

    @Once
    def thing():
        built.append(object())
        goes_on.wait(10)
        return built[-1]

    got = []

    def need():
        started.wait()
        got.append(thing())

    threads = [threading.Thread(target=need) for _ in range(7)]
    for thread in threads:
        thread.start()
    started.wait()
    goes_on.set()
    for thread in threads:
        thread.join()
    assert len(built) == 1
    assert got == built * 7
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
    assert (thing(), thing()) == (7, 7)
