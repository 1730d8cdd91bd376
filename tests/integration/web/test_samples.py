"""Facets and patterns of large searches, which are sampled."""

import pytest

from storage.clickhouse.client import Clickhouse
from storage.clickhouse.errors import TIMEOUT_EXCEEDED, TOO_SLOW, UNKNOWN_TABLE, QueryRefusedError
from storage.query.logs import facets, patterns, sample
from storage.query.logs.patterns import log_patterns
from storage.query.logs.search import LogFilters
from storage.time_range import TimeRange
from tests.integration.web.conftest import FIRST_NS

pytestmark = pytest.mark.integration

RECORDS = 20_000
SAMPLE = 2_000
TIME_RANGE = TimeRange(FIRST_NS, FIRST_NS + RECORDS)
PARAMETERS = {
    "workspace_id": "samples",
    "start_time_ms": FIRST_NS // 10**6,
    "end_time_ms": FIRST_NS // 10**6 + 1,
}

# Records in order of time; the first half has one attribute, the second half another. Every fourth
# body differs from its like in a number only, all others are unique.
FILL = f"""
INSERT INTO otel_logs (Timestamp, ServiceName, SeverityNumber, Body, LogAttributes, WorkspaceId,
    ClientId, ChunkId, ChunkRow, RetentionDays)
SELECT fromUnixTimestamp64Nano(toInt64({FIRST_NS} + number)), 'shop', 9,
    if(number %% 4 = 0, concat('order ', toString(number), ' is paid'),
        translate(hex(sipHash64(number)), '0123456789', 'ghijklmnop')),
    if(number < {RECORDS // 2}, map('early', 'yes'), map('late', 'yes')),
    'samples', 'default', 7, number, 0
FROM numbers({RECORDS})
"""


class GivingUp(Clickhouse):
    """Refuses queries that may be given up, as ClickHouse does if they are slow."""

    code = TOO_SLOW
    asked = 0

    def query(self, sql, params=None, limits=None):
        self.asked += 1
        if "max_estimated_execution_time" in (limits or {}):
            raise QueryRefusedError("too slow", self.code)
        return super().query(sql, params, limits)


@pytest.fixture(scope="module")
def filled(engine_settings):
    clickhouse = Clickhouse(engine_settings)
    clickhouse.query(FILL)
    yield engine_settings
    clickhouse.close()


@pytest.fixture
def giving_up(filled):
    connection = GivingUp(filled)
    yield connection
    connection.close()


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(sample, "RUN_ROWS", 16)
    monkeypatch.setattr(facets, "SAMPLE_RECORDS", SAMPLE)
    monkeypatch.setattr(patterns, "SAMPLE_RECORDS", SAMPLE)
    monkeypatch.setattr(patterns, "FEW_RECORDS", SAMPLE)


@pytest.fixture
def ask(filled, client_of):
    client = client_of(filled)

    def get(what, **query):
        response = client.get(f"/api/v1/logs/{what}", query_string={**PARAMETERS, **query})
        assert response.status_code == 200, response.text
        return response.get_json()

    return get


def test_a_sample_is_of_the_whole_time_range(ask, monkeypatch):
    monkeypatch.setattr(facets, "MANY_RECORDS", 0)
    answer = ask("facets")
    assert answer["total"] == RECORDS
    assert SAMPLE / 2 < answer["sampled_records"] < SAMPLE * 2

    found = {facet["field"]: facet for facet in answer["facets"]}
    early, late = found["attributes[early]"], found["attributes[late]"]
    assert not early["exact"]
    assert early["records"] + late["records"] == answer["sampled_records"]
    assert SAMPLE / 4 < early["records"] < SAMPLE
    assert SAMPLE / 4 < late["records"] < SAMPLE
    assert found["service_name"]["exact"]
    assert found["service_name"]["records"] == RECORDS


def test_many_records_of_few_patterns_are_all_counted(ask):
    answer = ask("patterns", search="is paid")
    assert answer["exact"]
    assert answer["total"] == answer["sampled_records"] == RECORDS // 4

    [pattern] = answer["patterns"]
    assert pattern["template"] == "order <num> is paid"
    assert pattern["count"] == RECORDS // 4
    assert pattern["share"] == 1


def test_of_many_records_with_little_in_common_a_sample_is_counted(ask):
    answer = ask("patterns", limit=3)
    assert not answer["exact"]
    assert answer["total"] == RECORDS
    assert SAMPLE / 2 < answer["sampled_records"] < SAMPLE * 2

    first, *others = answer["patterns"]
    assert first["template"] == "order <num> is paid"
    assert first["share"] == first["count"] / answer["sampled_records"]
    assert 0.2 < first["share"] < 0.3
    assert len(others) == 2

    listed = sum(pattern["count"] for pattern in answer["patterns"])
    assert listed + answer["other"] == answer["sampled_records"]
    assert answer["templates"] > SAMPLE / 4


@pytest.mark.parametrize("code", [TOO_SLOW, TIMEOUT_EXCEEDED])
def test_a_sample_is_the_answer_if_clustering_all_records_takes_too_long(giving_up, filled, code):
    giving_up.code = code
    filters = LogFilters(workspace_id="samples", search="is paid")
    found = log_patterns(giving_up, filled, filters, TIME_RANGE, 10)
    assert giving_up.asked == 3
    assert not found.exact
    assert found.total == RECORDS // 4
    assert SAMPLE / 2 < found.clustered < SAMPLE * 2
    assert [pattern.template for pattern in found.patterns] == ["order <num> is paid"]
    assert found.other == 0


def test_another_error_of_clustering_all_records_is_told(giving_up, filled):
    giving_up.code = UNKNOWN_TABLE
    filters = LogFilters(workspace_id="samples", search="is paid")
    with pytest.raises(QueryRefusedError):
        log_patterns(giving_up, filled, filters, TIME_RANGE, 10)
