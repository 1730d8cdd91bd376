"""An index finds spans by an attribute's value without reading all of them."""

import pytest

from storage.query.traces.read import TraceReader
from tests.integration.made_traces import MadeSpan
from tests.integration.tables import whole
from tests.integration.web.traces.conftest import Watched

pytestmark = pytest.mark.integration

SPANS = 40_000


@pytest.fixture(scope="module")
def reader(engine_settings, stored):
    spans = [
        MadeSpan(trace=1 + n // 10, id=n + 1, start=n, attributes={"run_id": f"run-{n // 100}"})
        for n in range(SPANS)
    ]
    stored("indexed-spans", *spans)
    connection = Watched(engine_settings)
    connection.query(f"OPTIMIZE TABLE {whole(connection, 'otel_traces')} FINAL")
    connection.rows = 0
    yield TraceReader(connection, engine_settings), connection
    connection.close()


@pytest.mark.parametrize("values", [["run-7"], ["run-7", "run-8"]])
def test_traces_are_found_by_an_attribute_without_reading_all_spans(reader, values):
    traces, connection = reader
    connection.rows = 0
    found = traces.traces_with("indexed-spans", "run_id", values, None)
    assert {value: len(ids) for value, ids in found.items()} == dict.fromkeys(values, 10)
    assert connection.rows < SPANS / 2
