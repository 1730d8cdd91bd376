"""The API does what its OpenAPI document says: generated requests, real answers."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from config.settings import Settings
from ledger.ledger import Ledger
from storage.clickhouse.client import Clickhouse
from web.app import create_app
from web.traces import deletion as trace_deletion

pytestmark = pytest.mark.integration

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]

DOCUMENT = create_app(Settings()).test_client().get("/openapi.json").json
ENDLESS = {"/api/v1/logs/live"}
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method != "parameters" and path not in ENDLESS
}
TAKES_SOMETHING = [
    name
    for name, operation in OPERATIONS.items()
    if operation.get("parameters") or operation.get("requestBody")
]
QUICK = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def api(engine_settings, seeded, shared_valkey):
    """The operations of an app over real stores, called over WSGI."""
    assert seeded
    made = engine_settings.model_copy(update={"redis_url": shared_valkey.url})
    clickhouse, ledger = Clickhouse(made), Ledger(made)
    with pytest.MonkeyPatch.context() as patch:
        # No worker runs: it is no use to wait for a deletion.
        patch.setattr(trace_deletion, "PATIENCE", 0)
        yield schemathesis.openapi.from_wsgi("/openapi.json", create_app(made, clickhouse, ledger))
    clickhouse.close()
    ledger.close()


def call(api, operation, mode, data):
    method, path = operation.split(" ")
    case = data.draw(api[path][method].as_strategy(generation_mode=mode))
    case.call_and_validate(checks=CHECKS)


@pytest.mark.parametrize("operation", OPERATIONS)
@QUICK
@given(data=st.data())
def test_what_the_document_allows_is_answered_as_it_says(api, operation, data):
    call(api, operation, GenerationMode.POSITIVE, data)


@pytest.mark.parametrize("operation", TAKES_SOMETHING)
@QUICK
@given(data=st.data())
def test_what_the_document_forbids_is_refused_as_it_says(api, operation, data):
    call(api, operation, GenerationMode.NEGATIVE, data)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_is_described_with_all_that_it_takes(operation):
    described = OPERATIONS[operation]
    assert described.get("summary")
    for parameter in described.get("parameters", []):
        assert parameter.get("description"), parameter["name"]
