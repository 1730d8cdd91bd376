"""Chooses which of several ClickHouse hosts to ask, and steps around those that fail."""

import itertools
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from config.hosts import Host
from storage.clickhouse.errors import (
    NoAnswerInTimeError,
    NoConnectionInTimeError,
    OutcomeUnknownError,
    UnavailableError,
)

_AVOIDED_SECONDS = 10.0
"""How long a host that failed is asked last."""

Answer = TypeVar("Answer")


class Hosts:
    """Takes turns between hosts; one that failed is asked last for a while. Thread-safe."""

    def __init__(self, hosts: Sequence[Host]) -> None:
        """Choose among `hosts`, at least one."""
        self.all = tuple(hosts)
        self._turn = itertools.count()
        self._failed: dict[Host, float] = {}
        self._lock = threading.Lock()

    def in_order(self, near: Collection[Host] = ()) -> list[Host]:
        """All hosts, in the order in which to ask them now: those that are `near` before others."""
        if len(self.all) == 1:
            return list(self.all)
        first = next(self._turn) % len(self.all)
        turned = self.all[first:] + self.all[:first]
        now = time.monotonic()
        with self._lock:
            return sorted(
                turned, key=lambda host: (self._failed.get(host, 0) > now, host not in near)
            )

    def note_failure(self, host: Host) -> None:
        """Ask this host last for a while."""
        with self._lock:
            self._failed[host] = time.monotonic() + _AVOIDED_SECONDS

    def ask(
        self, call: Callable[[Host], Answer], *, repeatable: bool, near: Collection[Host] = ()
    ) -> Answer:
        """Call `call` with a host, one that is `near` first, and with the next one if that is safe.

        It is safe if the host could not be reached. If the connection broke later, the request may
        have been carried out, so it is only safe for one that is `repeatable`. A host that does not
        answer in time has used up the caller's time.

        Raises:
            StorageError: what the last call raised.
        """
        *others, last = self.in_order(near)
        for host in others:
            try:
                return call(host)
            except NoConnectionInTimeError:
                self.note_failure(host)
            except OutcomeUnknownError as error:
                if error.code:
                    raise
                self.note_failure(host)
                if not repeatable or isinstance(error, NoAnswerInTimeError):
                    raise
            except UnavailableError as error:
                if error.code:
                    raise
                self.note_failure(host)
        return call(last)
