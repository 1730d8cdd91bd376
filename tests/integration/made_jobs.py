"""A worker's part that runs jobs, and orders for it."""

from storage.client import Clickhouse
from tasks.jobs.book import JobBook
from tasks.jobs.job import new_order
from tasks.jobs.kinds import KINDS
from tasks.jobs.run import JobRunner, Stores
from tasks.ledger import Ledger


def order(kind="replay", arguments=None, *, workspace="acme"):
    return new_order(kind, workspace, arguments or {}, unit="things", asked_by="127.0.0.1")


class Worker:
    """What one worker process has for jobs; `kinds` may be the test's own."""

    def __init__(self, settings, kinds=KINDS):
        self.settings = settings
        self.book = JobBook(settings)
        self.ledger = Ledger(settings)
        self.clickhouse = Clickhouse(settings)
        self.stores = Stores(settings, self.clickhouse, self.ledger)
        self.runner = JobRunner(self.book, self.stores, kinds)

    def look(self, job):
        return self.book.one(job.order.workspace_id, job.order.id)

    def run(self, asked):
        """Take an order in, run what is due, and give the job as it is then."""
        job = self.book.add(asked)
        self.runner.drain()
        return self.look(job)

    def close(self):
        self.book.close()
        self.ledger.close()
        self.clickhouse.close()
