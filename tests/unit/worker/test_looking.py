import threading

from worker import looking
from worker.looking import Looking


class Storing:
    """Counts its runs; the first one fails."""

    def __init__(self, quiet_seconds):
        self.quiet_seconds = quiet_seconds
        self.runs = threading.Semaphore(0)

    def run(self):
        self.runs.release()
        raise RuntimeError("the broker is away")


def test_what_waits_is_stored_when_nobody_has_looked_for_a_while_and_after_a_failure(monkeypatch):
    monkeypatch.setattr(looking, "_LOOK_EVERY", 0.001)
    quiet, busy = Storing(60.0), Storing(0.5)
    threads = [Looking(quiet), Looking(busy)]
    for each in threads:
        each.start()
    for _ in range(3):
        assert quiet.runs.acquire(timeout=30)
    for each in threads:
        each.stop()
    assert not busy.runs.acquire(blocking=False)
