"""What the API takes and gives about dead letters."""

import marshmallow as ma
from marshmallow import fields, validate

from tasks.chunk import SIGNALS
from web.arguments import Text, Whole, described
from web.schemas import Answer
from web.tenant_arguments import TenantArguments, WorkspaceArguments
from web.time_arguments import end_time, start_time

_MOST_RECORDS = 1000


class DeadLetterFilters(TenantArguments):
    """Which dead letters."""

    signal = fields.String(
        validate=validate.OneOf(SIGNALS), metadata=described("What kind of records.")
    )
    reason = Text(
        validate=validate.Length(1, 1024),
        metadata=described("Part of the reason, in either case."),
    )
    start_ns = start_time("Dead-lettered at this time or after it.")
    end_ns = end_time("Dead-lettered at this time or before it.")


class ListArguments(DeadLetterFilters):
    """Which dead letters, and which page of them."""

    limit = Whole(1, 1000, load_default=100, metadata=described("Most dead letters in the answer."))
    cursor = fields.String(
        validate=validate.Regexp(r"[0-9]{1,15}-[0-9a-f]{32}\Z"),
        metadata=described("`next_cursor` of the page before."),
    )


class ShowArguments(WorkspaceArguments):
    """How much of one dead letter."""

    records = Whole(
        0,
        _MOST_RECORDS,
        load_default=100,
        metadata=described("Most of its records in the answer."),
    )


class DeadLetterSummary(ma.Schema):
    """A chunk that could not be stored."""

    id = fields.String(required=True)
    signal = fields.String(required=True)
    workspace_id = fields.String(required=True)
    client_id = fields.String(required=True)
    records = fields.Integer(required=True, metadata=described("How many it holds."))
    bytes = fields.Integer(required=True, metadata=described("Uncompressed OTLP bytes."))
    received_ms = fields.Integer(required=True)
    buried_ms = fields.Integer(required=True)
    reason = fields.String(
        required=True, metadata=described("In the words of the database or the decoder.")
    )


class DeadLettersAnswer(Answer):
    """A page of dead letters, newest first."""

    dead_letters = fields.List(fields.Nested(DeadLetterSummary), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class DeadLetterAnswer(Answer):
    """One dead letter with its records, by the columns of their table."""

    dead_letter = fields.Nested(DeadLetterSummary, required=True)
    records = fields.List(
        fields.Dict(),
        required=True,
        metadata=described("Empty if the chunk cannot be decoded."),
    )


class ReplayedAnswer(Answer):
    """How many wait to be stored again."""

    replayed = fields.Integer(required=True)


class DroppedAnswer(Answer):
    """How many are gone for good."""

    dropped = fields.Integer(required=True)
