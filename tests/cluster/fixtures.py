"""Fixtures of tests that need a ClickHouse cluster."""

from contextlib import contextmanager

import pytest

from tests.cluster.cluster import Cluster


@pytest.fixture(scope="session")
def new_cluster(tmp_path_factory, free_port, require, wait_until):
    """Make clusters without starting them; they are killed when the block ends."""

    @contextmanager
    def make(**options):
        folder = tmp_path_factory.mktemp("cluster")
        cluster = Cluster(folder, free_port, require, wait_until, **options)
        try:
            yield cluster
        finally:
            cluster.stop()

    return make
