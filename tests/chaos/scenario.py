"""A load on a system, and what became of it."""

import random
import secrets
import time
from contextlib import contextmanager

from tests.chaos.load import Load
from tests.chaos.oracle import further_attempts, judge


class Scenario:
    """A load on a system, seeded randomness, and the oracle's verdict in the end."""

    def __init__(self, name, seed, system, report, wait_until):
        # Two runs of a scenario with the same seed must not share a name.
        self.name = f"{name.split('_')[1]}-{secrets.token_hex(3)}"
        self._title = name
        self._seed = seed
        self.report = report
        self.system = system
        self.rng = random.Random(f"{seed} {name}")
        self._attempts = further_attempts(system)
        self.load = None
        self.wait_until = wait_until

    def begin(self, shape=None, tenants=4, **options):
        self.load = Load(self.rng, self.name, self.system.grpc_port, shape, tenants)
        self.load.start(**options)
        return self.load

    @contextmanager
    def under_load(self, shape=None, tenants=4, seconds=30.0, **options):
        """Send while the block runs, then wait for the last answers."""
        load = self.begin(shape, tenants, **options)
        try:
            yield load
        finally:
            load.finish(seconds)

    def pause(self, least, most):
        """Wait for a random time between these seconds."""
        time.sleep(self.rng.uniform(least, most))

    def wait_for_insert(self):
        """Wait until ClickHouse has been sent one more insert."""
        proxy = self.system.proxies["http"]
        before = proxy.requests
        self.wait_until(lambda: proxy.requests > before, 60)

    def wait_for_answers(self, count):
        """Wait until that many more requests are acknowledged."""
        wanted = self.load.acknowledged + count
        self.wait_until(lambda: self.load.acknowledged >= wanted, 60)

    def judge(self):
        """The oracle's verdict on the table as it is now, which is also printed."""
        verdict = judge(self.system, self._title, self._seed, self.load, self._attempts)
        self.report(str(verdict))
        return verdict

    def verdict(self, seconds=60.0):
        """Wait until the ledger is drained, then judge."""
        drained = self.system.wait_until_drained(seconds)
        verdict = self.judge()
        assert drained, f"{verdict}: {self.system.ledger.waiting.stats()} after {seconds} s"
        assert not self.load.unexpected, self.load.unexpected[:5]
        return verdict

    def check(self, seconds=60.0):
        verdict = self.verdict(seconds)
        verdict.check()
        return verdict
