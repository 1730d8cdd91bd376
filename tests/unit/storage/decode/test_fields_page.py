import re

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from storage.decode import SIGNALS, decode

REQUESTS = (ExportLogsServiceRequest, ExportTraceServiceRequest, ExportMetricsServiceRequest)
SHEAF_COLUMNS = {"ChunkId", "ChunkRow", "RetentionDays", "ClientId", "WorkspaceId", "Start", "End"}
DERIVED_COLUMNS = {"ServiceName", "ServiceVersion", "Endpoint"}
_ROW = re.compile(r"^\| `(\w+)` \| (.+?) \|", re.MULTILINE)
_COLUMN = re.compile(r"`([A-Z][\w.]*)`")


def messages():
    """The fields of each OTLP message, by the message's name in the page."""
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
    """The fields of each message in the page, with their columns."""
    text = (project_root / "docs" / "otlp-fields.md").read_text(encoding="utf-8")
    _, *sections = re.split(r"^### `([\w.]+)`$", text, flags=re.MULTILINE)
    names, bodies = sections[::2], sections[1::2]
    return {name: dict(_ROW.findall(body)) for name, body in zip(names, bodies, strict=True)}


def test_every_field_of_otlp_is_listed_with_its_column_or_as_not_stored(page):
    listed = {name: sorted(fields) for name, fields in page.items()}
    assert listed == {name: sorted(fields) for name, fields in messages().items()}


def test_the_columns_in_the_page_are_those_of_the_tables(page):
    documented = set()
    for fields in page.values():
        for target in fields.values():
            if not target.startswith("see"):
                documented.update(_COLUMN.findall(target))

    columns = set()
    for signal in SIGNALS:
        for rows in decode(signal, []).values():
            columns.update(rows.schema.names)

    assert documented == columns - SHEAF_COLUMNS - DERIVED_COLUMNS
