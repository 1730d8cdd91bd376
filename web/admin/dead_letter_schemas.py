"""Arguments and answers about dead letters."""

import marshmallow as ma
from marshmallow import fields, validate

from ledger.chunk import SIGNALS
from web.common.cursor import cursor_parameter
from web.common.tenancy import TenantArguments, WorkspaceArguments
from web.common.time_arguments import end_time, start_time
from web.http.arguments import Text, Whole, described
from web.http.schemas import Answer

_MOST_RECORDS = 1000


class DeadLetterFilters(TenantArguments):
    """Which dead letters."""

    signal = fields.String(
        validate=validate.OneOf(SIGNALS), metadata=described("Signal of the records.")
    )
    reason = Text(
        validate=validate.Length(1, 1024),
        metadata=described("Text that the reason contains, ignoring case."),
    )
    start_ns = start_time("Dead-lettered at or after this time.")
    end_ns = end_time("Dead-lettered at or before this time.")


class DeadLetterListArguments(DeadLetterFilters):
    """Which dead letters, and which page of them."""

    limit = Whole(1, 1000, load_default=100, metadata=described("Maximum number of dead letters."))
    cursor = cursor_parameter()


class ShowArguments(WorkspaceArguments):
    """How much of one dead letter."""

    records = Whole(
        0,
        _MOST_RECORDS,
        load_default=100,
        metadata=described("Maximum number of its records."),
    )


class DeadLetterSchema(ma.Schema):
    """A chunk that could not be stored."""

    id = fields.String(required=True)
    signal = fields.String(required=True)
    workspace_id = fields.String(required=True)
    client_id = fields.String(required=True)
    records = fields.Integer(required=True, metadata=described("Number of records."))
    bytes = fields.Integer(required=True, metadata=described("Uncompressed OTLP bytes."))
    received_ms = fields.Integer(required=True)
    buried_ms = fields.Integer(required=True, metadata=described("When it became a dead letter."))
    reason = fields.String(
        required=True, metadata=described("Message of the database or the decoder.")
    )


class DeadLettersAnswer(Answer):
    """A page of dead letters, newest first."""

    dead_letters = fields.List(fields.Nested(DeadLetterSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class DeadLetterAnswer(Answer):
    """One dead letter with its records, by the columns of their table."""

    dead_letter = fields.Nested(DeadLetterSchema, required=True)
    records = fields.List(
        fields.Dict(),
        required=True,
        metadata=described("Empty if the chunk cannot be decoded."),
    )


class ReplayedAnswer(Answer):
    """How many dead letters wait to be stored again."""

    replayed = fields.Integer(required=True)


class DroppedAnswer(Answer):
    """How many dead letters were deleted for good."""

    dropped = fields.Integer(required=True)
