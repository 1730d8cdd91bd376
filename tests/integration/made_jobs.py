"""The part of a worker that runs jobs, and orders for it."""

from ledger.ledgers import open_ledgers
from storage.clickhouse.client import Clickhouse
from tasks.jobs.book import JobBook
from tasks.jobs.job import new_order
from tasks.jobs.kinds import KINDS
from tasks.jobs.run import JobRunner, Stores


def order(kind="replay", arguments=None, *, workspace="acme"):
    return new_order(kind, workspace, arguments or {}, unit="things", asked_by="127.0.0.1")


class Worker:
    """What a worker process needs for jobs; a test may have its own `kinds`."""

    def __init__(self, settings, kinds=KINDS):
        self.settings = settings
        self.book = JobBook(settings)
        self.ledger = open_ledgers(settings)
        self.clickhouse = Clickhouse(settings)
        self.stores = Stores(settings, self.clickhouse, self.ledger)
        self.runner = JobRunner(self.book, self.stores, kinds)

    def look(self, job):
        return self.book.one(job.order.workspace_id, job.order.id)

    def run(self, asked):
        """Add an order, run the jobs that are due, and return the job afterwards."""
        job = self.book.add(asked)
        self.runner.drain()
        return self.look(job)

    def close(self):
        self.book.close()
        self.ledger.close()
        self.clickhouse.close()
