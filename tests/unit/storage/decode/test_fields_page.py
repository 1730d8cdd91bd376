import re

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from storage.decode import SIGNALS, decode

REQUESTS = (ExportLogsServiceRequest, ExportTraceServiceRequest, ExportMetricsServiceRequest)
COLUMNS = {
    name for signal in SIGNALS for rows in decode(signal, []).values() for name in rows.schema.names
}
OWN = {"ChunkId", "ChunkRow", "RetentionDays", "ClientId", "WorkspaceId", "Start", "End"}
DERIVED = {"ServiceName", "ServiceVersion", "Endpoint"}
_ROW = re.compile(r"^\| `(\w+)` \| (.+?) \|", re.MULTILINE)
_COLUMN = re.compile(r"`([A-Z][\w.]*)`")


def messages():
    """The fields of each OTLP message, by its name in the page."""
    found = {}

    def visit(message):
        name = message.full_name.partition(".v1.")[2]
        if name not in found:
            found[name] = [field.name for field in message.fields]
            for field in message.fields:
                if field.message_type:
                    visit(field.message_type)

    for request in REQUESTS:
        for field in request.DESCRIPTOR.fields:
            visit(field.message_type)
    return found


@pytest.fixture(scope="module")
def page(project_root):
    """Fields and columns of each message in the page."""
    text = (project_root / "docs" / "otlp-fields.md").read_text(encoding="utf-8")
    sections = re.split(r"^### `([\w.]+)`$", text, flags=re.MULTILINE)[1:]
    return {
        name: dict(_ROW.findall(body))
        for name, body in zip(sections[::2], sections[1::2], strict=True)
    }


def test_every_field_of_otlp_is_listed_with_its_column_or_as_not_stored(page):
    assert {name: sorted(fields) for name, fields in page.items()} == {
        name: sorted(fields) for name, fields in messages().items()
    }


def test_the_columns_in_the_page_are_those_of_the_tables(page):
    targets = [target for fields in page.values() for target in fields.values()]
    stored = {
        column
        for target in targets
        if not target.startswith("see")
        for column in _COLUMN.findall(target)
    }
    assert stored == COLUMNS - OWN - DERIVED
