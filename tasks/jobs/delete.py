"""Deleting what a filter finds: log records, or spans with their place in the trace lookup.

Everything that was accepted before the deletion began is deleted, what waits in the ledger too:
the job waits until that is stored. What arrives meanwhile may be deleted or not; `done` is the
exact number of rows that were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from storage.deletion import Selection, of_workspace
from storage.logs.search import LogFilters, where
from storage.sql import EVER, TimeRange, Where, instant
from tasks.jobs.deletion import LOGS_TABLE, Deletion

if TYPE_CHECKING:
    from tasks.jobs.run import Result, Stores, Work

RECORDS = "log records"
SPANS = "spans"


class LogDeletion(msgspec.Struct, frozen=True, tag="logs"):
    """Arguments of a deletion of log records."""

    filters: LogFilters
    span: TimeRange = EVER


class TraceDeletion(msgspec.Struct, frozen=True, tag="traces"):
    """Arguments of a deletion of spans."""

    before_ns: int | None
    """Unix nanoseconds: only spans that began before; None: all."""


def arguments(deletion: LogDeletion | TraceDeletion) -> dict[str, Any]:
    """The arguments of a job's order."""
    plain: dict[str, Any] = msgspec.to_builtins(deletion)
    return plain


def delete(work: Work, stores: Stores) -> Result:
    """Delete what the order's arguments say; the result is how many rows that were."""
    asked = msgspec.convert(work.order.arguments, LogDeletion | TraceDeletion)
    workspace_id = work.order.workspace_id
    if isinstance(asked, LogDeletion):
        chosen = [_log_records(asked)]
    else:
        spans = _spans(workspace_id, asked)
        chosen = [spans, _lookups(workspace_id, asked, spans)]
    deletion = Deletion(work, stores, chosen)
    deletion.wait_for_what_was_accepted()
    deletion.plan()
    deletion.run()
    return {"deleted": work.done}


def _log_records(deletion: LogDeletion) -> Selection:
    workspace = LogFilters(workspace_id=deletion.filters.workspace_id)
    # The longest range means all there is, also what lies beyond it from earlier versions.
    span = None if deletion.span == EVER else deletion.span
    return Selection(
        LOGS_TABLE,
        workspace.workspace_id,
        coarse=lambda: where(workspace, span),
        exact=lambda: where(deletion.filters, span),
    )


def _spans(workspace_id: str, deletion: TraceDeletion) -> Selection:
    def clause() -> Where:
        return _before(workspace_id, "Timestamp", "Timestamp", deletion.before_ns)

    return Selection("otel_traces", workspace_id, clause, clause)


def _lookups(workspace_id: str, deletion: TraceDeletion, spans: Selection) -> Selection:
    """A trace's place in the lookup goes when all spans that it stands for have gone."""

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
