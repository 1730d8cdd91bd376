"""The structure that all OTLP signals share: a request has resources, with scopes, with items.

An item is a log record, a span or a metric. A row of a table is an item or, for metrics, one of its
data points.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from storage.decode import any_value_columns, wire
from storage.decode.chunk_rows import ChunkRows
from storage.decode.columns import TextMaps, repeated

Bounds = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Envelope:
    """Chunks' resources, scopes and items, each level flat.

    Attributes:
        chunks: What was decoded.
        resources: Messages of the top level, such as `ResourceLogs`.
        scopes: Messages of the next level, such as `ScopeLogs`.
        items: Messages of the lowest level, such as `LogRecord`, in payload order.
        chunk_bounds: Where each chunk's resources start; one more than there are chunks.
        resource_bounds: Where each resource's scopes start, likewise.
        scope_bounds: Where each scope's items start, likewise.
    """

    chunks: Sequence[ChunkRows]
    resources: pa.StructArray
    scopes: pa.StructArray
    items: pa.StructArray
    chunk_bounds: Bounds
    resource_bounds: Bounds
    scope_bounds: Bounds

    def columns(self, item_bounds: Bounds) -> dict[str, pa.Array]:
        """The columns with values of the chunk, the resource and the scope.

        Args:
            item_bounds: Where each item's rows start; one more than there are items.
        """
        scope_rows = item_bounds[self.scope_bounds]
        resource_rows = scope_rows[self.resource_bounds]
        return {
            **_resource_columns(self.resources, np.diff(resource_rows)),
            **_scope_columns(self.scopes, np.diff(scope_rows)),
            **chunk_columns(self.chunks, resource_rows[self.chunk_bounds]),
        }

    def received(self, item_bounds: Bounds) -> npt.NDArray[np.uint64]:
        """When each row's chunk was received, in Unix nanoseconds, plus the row's number.

        The number keeps rows without a time in order.
        """
        bounds = self.chunk_rows(item_bounds)
        times = np.array([chunk.received_ns for chunk in self.chunks], np.uint64)
        firsts = times - bounds[:-1].astype(np.uint64)
        return np.repeat(firsts, np.diff(bounds)) + np.arange(bounds[-1], dtype=np.uint64)

    def chunk_rows(self, item_bounds: Bounds) -> Bounds:
        """Where each chunk's rows start; one more than there are chunks."""
        return item_bounds[self.scope_bounds][self.resource_bounds][self.chunk_bounds]


def open_envelopes(request: str, chunks: Sequence[ChunkRows]) -> Envelope:
    """Parse export requests down to their items.

    Args:
        request: Full name of the export request message.
        chunks: The chunks, in the order of their rows.

    Raises:
        ValueError: A payload is not such a message, or its text is not UTF-8.
    """
    decoder = wire.message_decoder(request)
    resource_lists = decoder.list_to_record_batch([chunk.payload for chunk in chunks]).column(0)
    resources = resource_lists.values
    scope_lists = resources.field(1)
    scopes = scope_lists.values
    item_lists = scopes.field(1)
    return Envelope(
        chunks,
        resources,
        scopes,
        item_lists.values,
        resource_lists.offsets.to_numpy(),
        scope_lists.offsets.to_numpy(),
        item_lists.offsets.to_numpy(),
    )


def attribute_maps(attributes: pa.ListArray) -> TextMaps:
    """The attributes of each message as maps of text.

    Raises the errors of :func:`storage.decode.any_value_columns.texts` and `TooMuchError`.
    """
    pairs = attributes.values
    values = any_value_columns.texts(pairs.field("value"))
    return TextMaps.build(attributes.offsets.to_numpy(), pairs.field("key"), values)


def _resource_columns(
    resources: pa.StructArray, rows: npt.NDArray[np.int32]
) -> dict[str, pa.Array]:
    attributes = attribute_maps(resources.field("resource").field("attributes"))
    return {
        "ServiceName": repeated(attributes.lookup("service.name"), rows),
        "ServiceVersion": repeated(attributes.lookup("service.version"), rows),
        "ResourceSchemaUrl": repeated(resources.field("schema_url"), rows),
        "ResourceAttributes": attributes.repeated(rows),
    }


def _scope_columns(scopes: pa.StructArray, rows: npt.NDArray[np.int32]) -> dict[str, pa.Array]:
    scope = scopes.field("scope")
    dropped = scope.field("dropped_attributes_count").to_numpy()
    return {
        "ScopeDroppedAttrCount": pa.array(np.repeat(dropped, rows)),
        "ScopeSchemaUrl": repeated(scopes.field("schema_url"), rows),
        "ScopeName": repeated(scope.field("name"), rows),
        "ScopeVersion": repeated(scope.field("version"), rows),
        "ScopeAttributes": attribute_maps(scope.field("attributes")).repeated(rows),
    }


def chunk_columns(chunks: Sequence[ChunkRows], bounds: Bounds) -> dict[str, pa.Array]:
    """The columns with values of the chunk, and the rows' numbers in it.

    Args:
        chunks: The chunks.
        bounds: Where each chunk's rows start; one more than there are chunks.
    """
    rows = np.diff(bounds)
    ids = np.array([chunk.chunk_id for chunk in chunks], np.uint64)
    days = np.array([chunk.retention_days for chunk in chunks], np.uint16)
    numbers = np.arange(bounds[-1]) - np.repeat(bounds[:-1], rows)
    return {
        "WorkspaceId": repeated(pa.array([c.workspace_id for c in chunks], pa.string()), rows),
        "ClientId": repeated(pa.array([c.client_id for c in chunks], pa.string()), rows),
        "ChunkId": pa.array(np.repeat(ids, rows)),
        "ChunkRow": pa.array(numbers.astype(np.uint32)),
        "RetentionDays": pa.array(np.repeat(days, rows)),
    }
