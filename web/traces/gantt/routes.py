"""The waterfall of runs or traces, as a file to download."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import marshmallow as ma
from flask import Response, abort
from werkzeug.utils import secure_filename

from storage.query.traces import read
from storage.query.traces.read import SpanRow, TraceReader, around
from storage.time_range import TimeRange
from web.common.field_arguments import trace_id_parameter
from web.common.tenancy import WorkspaceArguments, workspace_of
from web.common.time_arguments import end_time, start_time
from web.common.time_range import whole_time_range
from web.http.arguments import NAME, Text, described
from web.http.blueprint import ApiBlueprint
from web.http.resources import current_resources
from web.traces.gantt.content import Subject, page_content
from web.traces.gantt.page import gantt_page

MAX_IDS = 100
MAX_TRACES = 1000
MAX_SPANS = 20_000
MAX_LOGS = 10_000

_LONGEST_NAME = 64


class GanttArguments(WorkspaceArguments):
    """Which traces: those of runs, or those with these ids."""

    run_ids = ma.fields.List(
        Text(validate=NAME),
        validate=ma.validate.Length(1, MAX_IDS),
        metadata={
            **described(
                "Values of the attribute that `RUN_ID_ATTRIBUTE` names, by default `run_id`. Finds "
                "all traces in which a span or its resource has one of them."
            ),
            "example": ["nightly-2026-07-14"],
        },
    )
    trace_ids = ma.fields.List(
        trace_id_parameter("Trace id."),
        validate=ma.validate.Length(1, MAX_IDS),
        metadata=described("Trace ids, in hexadecimal. Either these or `run_ids`."),
    )
    start_ns = start_time("With `run_ids`: only spans from this time on.")
    end_ns = end_time("With `run_ids`: only spans up to this time.")

    @ma.validates_schema
    def _one_kind(self, given: Mapping[str, Any], **_: object) -> None:
        kinds = {"run_ids", "trace_ids"}
        if len(kinds & given.keys()) != 1:
            why = "Give either run_ids or trace_ids."
            raise ma.ValidationError({kind: [why] for kind in sorted(kinds)})


def gantt_blueprint() -> ApiBlueprint:
    """The route `/traces/gantt`."""
    blueprint = ApiBlueprint("gantt", __name__, description="Traces as a waterfall")

    @blueprint.endpoint(
        "/traces/gantt",
        "text/html",
        takes=GanttArguments,
        method="POST",
        scope="read",
        otherwise={404: "The workspace has no spans of a run or trace, which the reason names"},
    )
    def gantt(arguments: dict[str, Any]) -> Response:
        """Download traces with their log records as one HTML file that needs no network.

        At most 1,000 traces, 20,000 spans and 10,000 log records; the page says what is left out.
        """
        workspace_id = workspace_of(arguments)
        if "run_ids" in arguments:
            return _of_runs(workspace_id, arguments)
        return _of_traces(workspace_id, arguments["trace_ids"])

    return blueprint


def _of_runs(workspace_id: str, arguments: Mapping[str, Any]) -> Response:
    attribute = current_resources().settings.run_id_attribute
    run_ids = list(dict.fromkeys(arguments["run_ids"]))
    runs = _traces_of_runs(workspace_id, attribute, run_ids, _range_of(arguments))
    labels: dict[str, list[str]] = {}
    for run_id, trace_ids in runs.items():
        for trace_id in trace_ids:
            labels.setdefault(trace_id, []).append(run_id)
    spans = _reader().spans(workspace_id, list(labels)[:MAX_TRACES], MAX_SPANS + 1)
    title = f"{attribute} {_few(run_ids)}"
    subject = Subject(
        title=title, attribute=attribute, labels=labels, notes=_cut(len(labels), spans)
    )
    return _file(workspace_id, subject, spans)


def _traces_of_runs(
    workspace_id: str, attribute: str, run_ids: Sequence[str], time_range: TimeRange | None
) -> dict[str, list[str]]:
    """Each run's trace ids. Aborts with 404 if a run has none."""
    reader = _reader()
    runs = reader.traces_with(workspace_id, attribute, run_ids, time_range)
    unknown = [run_id for run_id in run_ids if run_id not in runs]
    if sum(map(len, runs.values())) >= read.MAX_TRACES:
        # The traces of some may be beyond the reader's limit.
        unknown = [
            each
            for each in unknown
            if not reader.traces_with(workspace_id, attribute, [each], time_range)
        ]
    if unknown:
        abort(404, f"Workspace {workspace_id} has no spans with {attribute} {', '.join(unknown)}.")
    return runs


def _of_traces(workspace_id: str, given: Sequence[str]) -> Response:
    trace_ids = list(dict.fromkeys(trace_id.lower() for trace_id in given))
    spans = _reader().spans(workspace_id, trace_ids, MAX_SPANS + 1)
    unknown = _unknown(workspace_id, trace_ids, spans)
    if unknown:
        abort(404, f"Workspace {workspace_id} has no trace {', '.join(unknown)}.")
    subject = Subject(title=f"Trace {_few(trace_ids)}", notes=_cut(len(trace_ids), spans))
    return _file(workspace_id, subject, spans)


def _reader() -> TraceReader:
    return TraceReader(current_resources().clickhouse, current_resources().settings)


def _range_of(arguments: Mapping[str, Any]) -> TimeRange | None:
    if not {"start_ns", "end_ns"} & arguments.keys():
        return None
    return whole_time_range(arguments)


def _unknown(workspace_id: str, trace_ids: Sequence[str], spans: Sequence[SpanRow]) -> list[str]:
    seen = {span["trace_id"] for span in spans}
    unseen = [trace_id for trace_id in trace_ids if trace_id not in seen]
    if len(spans) <= MAX_SPANS:
        return unseen
    # The spans of some may be beyond the limit.
    return [each for each in unseen if not _reader().spans(workspace_id, [each], limit=1)]


def _cut(traces: int, spans: Sequence[SpanRow]) -> list[str]:
    """Sentences that say what the page leaves out."""
    notes = []
    shown = len({span["trace_id"] for span in spans[:MAX_SPANS]})
    if shown < traces:
        notes.append(f"{shown:,} of {traces:,} traces are shown.")
    if len(spans) > MAX_SPANS:
        notes.append(f"Only {MAX_SPANS:,} spans are shown; the last trace may lack some.")
    return notes


def _file(workspace_id: str, subject: Subject, found: Sequence[SpanRow]) -> Response:
    spans = found[:MAX_SPANS]
    if not spans:
        abort(404, f"Workspace {workspace_id} has no spans of {subject.title} any more.")
    trace_ids = list({span["trace_id"]: None for span in spans})
    logs = _reader().logs(workspace_id, trace_ids, around(spans), MAX_LOGS + 1)
    if len(logs) > MAX_LOGS:
        note = f"Only the first {MAX_LOGS:,} log records are shown."
        subject = replace(subject, notes=[*subject.notes, note])
    html = gantt_page(page_content(subject, spans, logs[:MAX_LOGS]))
    name = secure_filename(f"{subject.title}.html")
    return Response(
        html,
        mimetype="text/html",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _few(names: Sequence[str]) -> str:
    """Names for a title: the first, and how many more there are."""
    first = names[0] if len(names[0]) <= _LONGEST_NAME else f"{names[0][:_LONGEST_NAME]}…"
    return first if len(names) == 1 else f"{first} and {len(names) - 1} more"
