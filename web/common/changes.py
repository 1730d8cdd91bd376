"""What changed: arguments and answers for log records and spans alike."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma
from flask import Response
from marshmallow import fields, validate

from config.units import NS_PER_MS
from storage.query.changes.find import (
    FEW_RECORDS,
    MOST_ALIKE,
    SAMPLE_RECORDS,
    Change,
    Changes,
    Term,
    find_changes,
)
from storage.query.changes.sides import SideQuery, Sides
from storage.query.changes.subject import KINDS, Subject
from storage.time_range import TimeRange
from web.common.formats import milliseconds, rfc3339, share, text_of
from web.common.query_text import QueryText
from web.common.tenancy import Arguments, StrictArguments
from web.common.time_arguments import end_time, start_time
from web.http.answers import about_request, answer
from web.http.arguments import Whole, described, described_like
from web.http.errors import WrongParameterError
from web.http.names import with_known_names
from web.http.resources import current_resources
from web.http.schemas import Answer

MAX_CHANGES = 500

SELECTION = (
    "What to explain: a part of the time range, a query, or both. At least one must be given."
)
BASELINE = (
    "What to compare it with. Default: all other records of the time range. A record that both "
    "would have belongs to the selection."
)


class SideArguments(StrictArguments):
    """Which log records belong to a side."""

    start_ns = start_time("Start. Default: that of the whole time range.")
    end_ns = end_time("End, inclusive. Default: that of the whole time range.")
    q = QueryText()

    @ma.pre_load
    def _with_known_names(self, data: Any, **_: object) -> Any:  # noqa: ANN401 - whatever was sent
        return with_known_names(data, self) if isinstance(data, Mapping) else data


def direction_parameter() -> fields.String:
    """Which changes to list."""
    return fields.String(
        load_default="more",
        validate=validate.OneOf(["more", "less", "both"]),
        metadata=described_like(
            "Values of which the selection has a larger share than the baseline (`more`), a "
            "smaller one (`less`), or either.",
            "more",
        ),
    )


def limit_parameter() -> Whole:
    """How many changes to list."""
    return Whole(
        1, MAX_CHANGES, load_default=20, metadata=described_like("Maximum number of changes.", 20)
    )


def side_query(arguments: Arguments, name: str, whole: TimeRange) -> SideQuery:
    """A side of the arguments, by its name; by default all of the time range.

    Raises:
        WrongParameterError: its start is after its end.
    """
    side: dict[str, Any] = arguments.get(name, {})
    first, last = side.get("start_ns", whole.first_ns), side.get("end_ns", whole.last_ns)
    if first > last:
        raise WrongParameterError(f"{name}.start_time_ms", "The start must not be after the end.")
    return SideQuery(
        TimeRange(int(first), int(last)), side.get("q", ""), side.get("min_duration_ms", 0)
    )


class TermSchema(ma.Schema):
    """A value of a field."""

    kind = fields.String(
        required=True,
        validate=validate.OneOf(KINDS),
        metadata=described_like("What kind of field it is.", "version"),
    )
    field = fields.String(
        required=True,
        metadata=described_like(
            "Name of the field as in filters, or `pattern`.", "service_version"
        ),
    )
    value = fields.String(
        required=True,
        metadata=described_like(
            "The value, or its first 256 characters; of a pattern, the template of the bodies.",
            "3.2.0",
        ),
    )
    truncated = fields.Boolean(
        required=True, metadata=described_like("Whether only the beginning is compared.", False)
    )
    q = fields.String(
        required=True,
        allow_none=True,
        metadata=described_like(
            "A query (`q`) for the records that have it; null if the search language has none.",
            'service_version:"3.2.0"',
        ),
    )


class ChangeSchema(TermSchema):
    """A value that the selection has more often than the baseline, or less often."""

    selection_count = fields.Integer(
        required=True,
        metadata=described_like("Records of the selection with it. An estimate if sampled.", 71),
    )
    selection_share = fields.Float(
        required=True, metadata=described_like("Their share of the selection, 0 to 1.", 0.71)
    )
    baseline_count = fields.Integer(
        required=True,
        metadata=described_like("Records of the baseline with it. An estimate if sampled.", 0),
    )
    baseline_share = fields.Float(
        required=True, metadata=described_like("Their share of the baseline, 0 to 1.", 0.0)
    )
    score = fields.Float(
        required=True,
        metadata=described_like(
            "How well it tells the selection from the baseline: 1 if all records of the one have "
            "it and none of the other, near 0 if the difference may be chance.",
            0.55,
        ),
    )
    new = fields.Boolean(
        required=True,
        metadata=described_like("Whether no counted record of the baseline has it.", True),
    )
    first_timestamp = fields.String(
        required=True,
        metadata=described_like(
            "Time of the oldest counted record that has it.", "2026-07-14T03:33:20.123456789Z"
        ),
    )
    same_records = fields.List(
        fields.Nested(TermSchema),
        required=True,
        metadata=described(f"Up to {MOST_ALIKE} other values that the same records have."),
    )


class SideSchema(ma.Schema):
    """A side of the comparison."""

    start_time_ms = fields.Integer(
        required=True, metadata=described_like("Start.", 1_784_000_000_000)
    )
    end_time_ms = fields.Integer(required=True, metadata=described_like("End.", 1_784_000_599_999))
    total = fields.Integer(required=True, metadata=described_like("Records of this side.", 100))
    sampled_records = fields.Integer(
        required=True,
        metadata=described_like(
            f"Records whose attributes and bodies were compared: all, or about {SAMPLE_RECORDS}.",
            100,
        ),
    )
    min_duration_ms = fields.Float(
        required=True,
        metadata=described_like("Minimum duration of its spans; 0 without one.", 250.0),
    )


class ChangesAnswer(Answer):
    """What distinguishes the selection from the baseline.

    Differences that chance may explain are left out. Fields that the queries of the sides name are
    not compared.
    """

    exact = fields.Boolean(
        required=True,
        metadata=described_like(
            f"Whether all records were compared, as up to {FEW_RECORDS} are, not a sample.", True
        ),
    )
    selection = fields.Nested(SideSchema, required=True)
    baseline = fields.Nested(SideSchema, required=True)
    compared_values = fields.Integer(
        required=True, metadata=described_like("Distinct values that were compared.", 420)
    )
    total_changes = fields.Integer(
        required=True, metadata=described_like("Changes, including those beyond the limit.", 3)
    )
    changes = fields.List(
        fields.Nested(ChangeSchema),
        required=True,
        metadata=described("Highest score first. Values of the same records are one change."),
    )


def answer_changes(subject: Subject, sides: Sides, arguments: Arguments) -> Response:
    """Compare the sides and answer the changes."""
    resources = current_resources()
    found = find_changes(
        resources.clickhouse,
        resources.settings,
        subject,
        sides,
        arguments["direction"],
        arguments["limit"],
    )
    return answer(_answer(sides, found))


def _answer(sides: Sides, found: Changes) -> dict[str, Any]:
    return {
        "exact": found.exact,
        "selection": _side(sides.selection, found.selection, found.selection_sampled),
        "baseline": _side(sides.baseline, found.baseline, found.baseline_sampled),
        "compared_values": found.compared,
        "total_changes": found.found,
        "changes": [_change(change) for change in found.changes],
        **about_request(),
    }


def _side(side: SideQuery, total: int, sampled: int) -> dict[str, Any]:
    return {
        "start_time_ms": side.time_range.first_ns // NS_PER_MS,
        "end_time_ms": side.time_range.last_ns // NS_PER_MS,
        "total": total,
        "sampled_records": sampled,
        "min_duration_ms": milliseconds(side.least_ns),
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        **_term(change.term),
        "selection_count": change.selection_count,
        "selection_share": share(change.selection_share, 1),
        "baseline_count": change.baseline_count,
        "baseline_share": share(change.baseline_share, 1),
        "score": share(change.score, 1),
        "new": change.is_new,
        "first_timestamp": rfc3339(change.first_ns),
        "same_records": [_term(term) for term in change.same_records],
    }


def _term(term: Term) -> dict[str, Any]:
    return {
        "kind": term.kind,
        "field": term.field,
        "value": text_of(term.value),
        "truncated": term.is_truncated,
        "q": term.q,
    }
