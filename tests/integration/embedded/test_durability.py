"""SIGKILL during inserts: confirmed batches are stored, the others wholly or not at all."""

import collections
import http.client
import random
import threading
import time

import pytest
from clickhouse_driver.errors import Error as DriverError

pytestmark = [pytest.mark.integration, pytest.mark.chaos]

ROUNDS = 6
ROWS = 20_000


class Writer:
    """Inserts numbered batches over one of the two protocols until its server is killed."""

    def __init__(self, server, name, native):
        self.confirmed = []
        self.tried = []
        self._server = server
        self._name = name
        self._insert = self._native if native else self._http
        self._thread = threading.Thread(target=self._run)
        self._stopping = False

    def start(self):
        self._thread.start()

    def stop(self):
        self._stopping = True
        self._thread.join()

    def _run(self):
        number = 0
        while not self._stopping:
            batch = f"{self._name}-{number}"
            self.tried.append(batch)
            try:
                self._insert(batch)
            except (DriverError, OSError, EOFError, http.client.HTTPException):
                return
            self.confirmed.append(batch)
            number += 1

    def _native(self, batch):
        with self._server.client() as client:
            rows = [(batch, n) for n in range(ROWS)]
            client.execute("INSERT INTO t VALUES", rows)

    def _http(self, batch):
        lines = [b"%s,%d\n" % (batch.encode(), n) for n in range(ROWS)]
        status, _, answer = self._server.http("INSERT INTO t FORMAT CSV", b"".join(lines))
        assert status == 200, answer


def stored_batches(server):
    """Count of rows, count of different numbers, and sum of numbers, by batch."""
    sql = "SELECT batch, count(), uniqExact(n), sum(n) FROM t GROUP BY batch"
    with server.client() as client:
        return {batch: tuple(figures) for batch, *figures in client.execute(sql)}


@pytest.mark.parametrize("seed", [1])
def test_confirmed_inserts_survive_sigkill_and_others_are_whole_or_absent(
    new_embedded_server, seed
):
    rng = random.Random(seed)
    server = new_embedded_server()
    with server.start().client() as client:
        client.execute(
            "CREATE TABLE t (batch LowCardinality(String), n UInt32) ENGINE = MergeTree "
            "ORDER BY (batch, n) SETTINGS fsync_after_insert = 1, fsync_part_directory = 1"
        )
    confirmed, tried = [], []

    for round_ in range(ROUNDS):
        writers = [
            Writer(server, f"r{round_}w0", native=True),
            Writer(server, f"r{round_}w1", native=False),
            Writer(server, f"r{round_}w2", native=False),
        ]
        for writer in writers:
            writer.start()
        time.sleep(rng.uniform(0.3, 1.5))
        server.kill()
        for writer in writers:
            writer.stop()
            confirmed += writer.confirmed
            tried += writer.tried

        server.start()
        found = stored_batches(server)
        print(  # noqa: T201 - the figures of a chaos test
            f"round {round_}: tried {len(tried)}, confirmed {len(confirmed)}, "
            f"stored {len(found)}, {collections.Counter(found.values())}"
        )
        # The rows of a batch are numbered from 0: their count, the different ones, their sum.
        whole = (ROWS, ROWS, ROWS * (ROWS - 1) // 2)
        assert set(found.values()) <= {whole}
        assert set(confirmed) <= set(found)
        assert set(found) <= set(tried)

    assert len(confirmed) > ROUNDS
    assert server.stop() == 0
