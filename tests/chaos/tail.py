"""A reader of the live tail that counts records it was shown, and records it was told it missed."""

import threading
from collections import Counter

import msgspec

from storage.query.logs.search import LogFilters
from web.logs.live.hub import LiveHub


class Tail:
    """Reads the live tail of workspaces until it is closed."""

    def __init__(self, settings, workspaces, wait_until):
        changed = {"live_lines_per_second": 1_000_000, "live_readers": 10}
        self._hub = LiveHub(settings.model_copy(update=changed))
        self.seen = Counter()
        """How often each body was shown."""
        self.lost = 0
        """How many records it was told it has missed."""
        self.unknown = 0
        """How often it was told that it has missed an unknown number."""
        self._stopping = threading.Event()
        readers = [self._hub.admit(LogFilters(workspace_id=each)) for each in workspaces]
        for reader in readers:
            wait_until(reader.is_subscribed.is_set)
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._read, args=(each,)) for each in readers]
        for thread in self._threads:
            thread.start()

    def _read(self, reader):
        while not self._stopping.is_set():
            taken = reader.take(0.1)
            bodies = [msgspec.json.decode(line)["body"] for line in taken.lines]
            with self._lock:
                self.seen.update(bodies)
                self.unknown += taken.lost is None
                self.lost += taken.lost or 0

    @property
    def doubled(self):
        """Bodies that were shown more than once."""
        return sorted(body for body, count in self.seen.items() if count > 1)

    def silent(self, stored):
        """How many of the stored records it was neither shown nor told about."""
        return stored - self.seen.total() - self.lost

    def close(self):
        self._stopping.set()
        self._hub.stop()
        for thread in self._threads:
            thread.join()
