"""Only threads that merge, known by their name, get a lower priority."""

import os
import threading
from pathlib import Path

import pytest

from embedded.priority import lower_merges


@pytest.fixture
def merging():
    """The id of a thread with the name of those that merge."""
    known, done = threading.Event(), threading.Event()
    numbers = []

    def wait():
        numbers.append(threading.get_native_id())
        known.set()
        done.wait()

    thread = threading.Thread(target=wait)
    thread.start()
    known.wait()
    Path(f"/proc/self/task/{numbers[0]}/comm").write_text("MergeMutate1")
    yield numbers[0]
    done.set()
    thread.join()


def priority(thread):
    return os.getpriority(os.PRIO_PROCESS, thread)


def test_only_a_thread_that_merges_gets_a_lower_priority(merging):
    here, before = threading.get_native_id(), priority(merging)
    lower_merges()
    assert priority(merging) == min(before + 10, 19)
    assert priority(here) == before


def test_a_thread_that_has_the_lowest_priority_already_keeps_it(merging):
    for _ in range(3):
        lower_merges()
    assert priority(merging) == 19
