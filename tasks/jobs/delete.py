"""Deletes log records that match filters, or spans with their rows in the trace lookup.

Records accepted before the deletion began are deleted, including those in the ledger: the job waits
until they are stored. Records that arrive meanwhile may be deleted or not. `done` is the exact
number of deleted rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from storage.clickhouse.sql import Where, instant
from storage.lifecycle.deletion import Selection, of_workspace
from storage.query.logs.search import LogFilters, where
from storage.time_range import EVER, TimeRange
from tasks.jobs.deletion import LOGS_TABLE, Deletion

if TYPE_CHECKING:
    from tasks.jobs.run import JobResult, Stores, Work

RECORDS = "log records"
SPANS = "spans"


class LogDeletion(msgspec.Struct, frozen=True, tag="logs"):
    """Arguments of a deletion of log records."""

    filters: LogFilters
    time_range: TimeRange = EVER


class TraceDeletion(msgspec.Struct, frozen=True, tag="traces"):
    """Arguments of a deletion of spans."""

    before_ns: int | None
    """Only spans that started before, in Unix nanoseconds; None: all."""


def arguments(deletion: LogDeletion | TraceDeletion) -> dict[str, Any]:
    """The arguments of a job's order."""
    plain: dict[str, Any] = msgspec.to_builtins(deletion)
    return plain


def delete(work: Work, stores: Stores) -> JobResult:
    """Delete what the order's arguments select; the result has the number of rows."""
    request = msgspec.convert(work.order.arguments, LogDeletion | TraceDeletion)
    workspace_id = work.order.workspace_id
    if isinstance(request, LogDeletion):
        selections = [_log_records(request)]
    else:
        spans = _spans(workspace_id, request)
        selections = [spans, _lookups(workspace_id, request, spans)]
    deletion = Deletion(work, stores, selections)
    deletion.wait_until_stored()
    deletion.plan()
    deletion.run()
    return {"deleted": work.done}


def _log_records(deletion: LogDeletion) -> Selection:
    workspace = LogFilters(workspace_id=deletion.filters.workspace_id)
    # EVER means all, including records beyond it that earlier versions stored.
    time_range = None if deletion.time_range == EVER else deletion.time_range
    return Selection(
        LOGS_TABLE,
        workspace.workspace_id,
        coarse=lambda: where(workspace, time_range),
        exact=lambda: where(deletion.filters, time_range),
    )


def _spans(workspace_id: str, deletion: TraceDeletion) -> Selection:
    def clause() -> Where:
        return _before(workspace_id, "Timestamp", "Timestamp", deletion.before_ns)

    return Selection("otel_traces", workspace_id, clause, clause)


def _lookups(workspace_id: str, deletion: TraceDeletion, spans: Selection) -> Selection:
    """Rows of the trace lookup, which are deleted after all spans that they refer to."""

    def clause() -> Where:
        return _before(workspace_id, "Start", "End", deletion.before_ns)

    return Selection(
        "otel_traces_trace_id_ts", workspace_id, clause, clause, counted=False, stands_for=spans
    )


def _before(workspace_id: str, first: str, last: str, before_ns: int | None) -> Where:
    clause = of_workspace(workspace_id)
    if before_ns is not None:
        bound = instant(clause.bind(before_ns))
        clause.sql += f" AND {first} < {bound} AND {last} < {bound}"
    return clause
