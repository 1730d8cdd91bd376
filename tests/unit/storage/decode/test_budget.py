"""What would take gigabytes of memory is refused before it is decoded."""

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from storage.decode import TooMuchError, columns, decode
from tests.unit.storage.decode.alike import chunk


def payload(attributes, records, *, of_records=0):
    """A resource with so many attributes and records; each record has `of_records` attributes."""
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    for number in range(attributes):
        resource.resource.attributes.add(key=f"k{number}").value.int_value = number
    scope = resource.scope_logs.add()
    for _ in range(records):
        record = scope.log_records.add()
        for _ in range(of_records):
            record.attributes.add(key="k")
    return request.SerializeToString()


def test_what_rows_repeat_of_a_resource_is_limited():
    # Each of 100,000 rows repeats 100,000 attributes.
    greedy = payload(100_000, 100_000)
    with pytest.raises(TooMuchError, match="10000000000 attributes in one column"):
        decode("logs", [chunk(greedy)])


def test_attributes_of_records_are_limited_and_half_a_batch_may_fit(monkeypatch):
    monkeypatch.setattr(columns, "MOST_PAIRS", 1000)
    fits = payload(2, 300, of_records=3)
    assert decode("logs", [chunk(fits)])["otel_logs"].num_rows == 300

    with pytest.raises(TooMuchError):
        decode("logs", [chunk(fits), chunk(fits, chunk_id=8)])
