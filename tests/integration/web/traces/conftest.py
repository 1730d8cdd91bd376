"""The traces API over the shared engine, with made spans."""

from contextlib import contextmanager

import pytest

from ledger.ledger import Ledger
from storage.clickhouse.client import Clickhouse
from tests.integration.made_traces import forest, put
from web.app import create_app


class Watched(Clickhouse):
    """Counts the rows that ClickHouse reads."""

    rows = 0

    @contextmanager
    def _connection(self, host):
        with super()._connection(host) as connection:
            yield connection
            self.rows += connection.last_query.progress.rows


@pytest.fixture(scope="module")
def database(engine_settings):
    connection = Clickhouse(engine_settings)
    yield connection
    connection.close()


@pytest.fixture(scope="module")
def api(engine_settings, database):
    """GET a path in a workspace, by default below `/traces`."""
    ledger = Ledger(engine_settings)
    client = create_app(engine_settings, database, ledger).test_client()

    def ask(workspace, path="", code=200, below="/traces", **query):
        response = client.get(
            f"/api/v1{below}{path}", query_string={"workspace_id": workspace, **query}
        )
        assert response.status_code == code, response.text
        return response.get_json()

    yield ask
    ledger.close()


@pytest.fixture(scope="session")
def stored(engine_settings):
    """Store spans in a workspace."""

    def store(workspace, *spans):
        put(engine_settings, workspace, spans)

    return store


@pytest.fixture(scope="module")
def forested(stored):
    """The spans of 150 made traces, stored in the workspace `forest` in three chunks."""
    spans = forest(20260714, 150)
    for number in range(3):
        stored("forest", *spans[number::3])
    stored("other-forest", *forest(1, 20))
    return spans
