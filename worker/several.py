"""Stores the batches of several ledgers in one worker."""

from __future__ import annotations

import itertools
import math
import threading
import time
from typing import TYPE_CHECKING

from worker.policies import Policies
from worker.write import BatchOutcome, Writer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from config.settings import Settings
    from ledger.ledgers import AnyLedger
    from storage.clickhouse.client import Clickhouse
    from storage.clickhouse.insert import Inserter

_AWAY_SECONDS = 2.0
"""For which a ledger is left out after it did not answer: a thread must not wait for it again."""


class Writers:
    """Drains each ledger through a separate writer; otherwise like a :class:`Writer`."""

    def __init__(self, writers: Sequence[Writer], policies: Policies) -> None:
        """Use `writers`, which share `policies`."""
        self._writers = tuple(writers)
        self._policies = policies
        self._away_until = [0.0] * len(writers)
        self._first = itertools.count()
        self._stopping = threading.Event()

    def drain(self, until: float = math.inf) -> list[BatchOutcome]:
        """Store what waits in each ledger, each with its share of the time until `until`.

        Ledgers that do not answer are left out for a while. Their outcomes come first, so that
        the last one says that the broker is away only if no ledger answers.
        """
        away: list[BatchOutcome] = []
        outcomes: list[BatchOutcome] = []
        left = self._in_turn()
        while left and not self._stopping.is_set() and time.monotonic() < until:
            unfinished = []
            for place, number in enumerate(left):
                share = (until - time.monotonic()) / (len(left) - place)
                end = time.monotonic() + share
                found = self._writers[number].drain(end)
                if found and found[-1].broker_away:
                    self._away_until[number] = time.monotonic() + _AWAY_SECONDS
                    away += found
                    continue
                outcomes += found
                if found and time.monotonic() >= end:
                    unfinished.append(number)
            left = unfinished
        return away + outcomes

    def _in_turn(self) -> list[int]:
        """The ledgers that may answer; each call begins with another one."""
        first, count, now = next(self._first), len(self._writers), time.monotonic()
        order = [(first + place) % count for place in range(count)]
        return [number for number in order if self._away_until[number] <= now]

    def stop(self) -> None:
        """Start no more batches; running ones are finished."""
        self._stopping.set()
        for each in self._writers:
            each.stop()

    def start(self) -> None:
        """Learn the rules of redaction and the limits, and follow them from now on."""
        self._policies.start()

    def close(self) -> None:
        """Publish the last rows to the live tail; call it when no batch is running."""
        self._policies.close()

    def wait(self, seconds: float) -> bool:
        """Wait for `seconds`; False if the writers are stopping."""
        return not self._stopping.wait(seconds)


def writer_of(
    settings: Settings, ledger: AnyLedger, clickhouse: Clickhouse, inserter: Inserter
) -> Writer | Writers:
    """A writer of the ledger, or of all of them."""
    policies = Policies(settings, ledger.broker, clickhouse)
    writers = [Writer(settings, each, clickhouse, inserter, policies) for each in ledger.all]
    return writers[0] if len(writers) == 1 else Writers(writers, policies)
