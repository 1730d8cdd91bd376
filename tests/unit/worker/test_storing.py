import threading

from worker.storing import Storing
from worker.write import BatchOutcome


class Writer:
    """Holds each drain until `go_on` is released."""

    def __init__(self, outcomes=()):
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)
        self.drains = 0
        self._outcomes = list(outcomes)

    def drain(self, _until):
        self.drains += 1
        self.begun.release()
        assert self.go_on.acquire(timeout=30)
        return [self._outcomes.pop(0)] if self._outcomes else []

    def wait(self, _seconds):
        return True


def in_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_who_comes_when_all_places_are_taken_goes_at_once_and_one_that_is_there_looks_again():
    writer, hints = Writer(), []
    storing = Storing(writer, 2, lambda: hints.append(1))

    threads = [in_thread(storing.run) for _ in range(2)]
    for _ in threads:
        assert writer.begun.acquire(timeout=30)
    assert storing.run() is None

    # One of the two drains once more.
    writer.go_on.release(3)
    for thread in threads:
        thread.join()
    assert (writer.drains, hints) == (3, [])

    writer.go_on.release()
    assert storing.run() == []


def test_one_that_ends_with_an_error_leaves_its_place_and_word():
    class Broken(Writer):
        def drain(self, until):
            super().drain(until)
            raise ValueError

    writer, hints, failed = Broken(), [], []
    storing = Storing(writer, 1, lambda: hints.append(1))

    def run():
        try:
            storing.run()
        except ValueError as error:
            failed.append(error)

    thread = in_thread(run)
    assert writer.begun.acquire(timeout=30)
    assert storing.run() is None

    writer.go_on.release()
    thread.join()
    assert (len(failed), len(hints)) == (1, 1)

    writer.go_on.release()
    run()
    assert (len(failed), len(hints)) == (2, 1)


def test_what_the_broker_left_behind_is_taken_up_again_without_a_hint():
    away = BatchOutcome("", problem="away", postponed=True, broker_away=True)
    writer = Writer([away, away, BatchOutcome("one", rows=5)])
    writer.go_on.release(3)

    outcomes = Storing(writer, 1, lambda: None).run()
    assert [outcome.rows for outcome in outcomes] == [0, 0, 5]


def test_a_thread_that_was_at_it_for_long_hints_at_the_rest_and_ends(monkeypatch):
    monkeypatch.setattr("worker.storing._LONGEST", 0.0)
    writer, hints = Writer(), []
    writer.go_on.release()

    Storing(writer, 1, lambda: hints.append(1)).run()
    assert (writer.drains, hints) == (1, [1])
