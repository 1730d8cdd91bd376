"""What all answers have in common, and the answers about health."""

import marshmallow as ma
from marshmallow import fields, validate

from web.http.arguments import described


class Answer(ma.Schema):
    """What every successful answer contains."""

    request_id = fields.String(required=True)
    execution_time_ms = fields.Float(required=True)


class QueueSchema(ma.Schema):
    """What is accepted but not yet stored."""

    waiting_chunks = fields.Integer(required=True)
    waiting_records = fields.Integer(required=True)
    waiting_bytes = fields.Integer(required=True)
    oldest_seconds = fields.Float(required=True)
    dead_chunks = fields.Integer(required=True)
    dead_bytes = fields.Integer(required=True)
    spilled_chunks = fields.Integer(
        required=True, metadata=described("Dead letters that moved to ClickHouse.")
    )


class HealthAnswer(Answer):
    """State of intake and storage."""

    status = fields.String(
        required=True, validate=validate.OneOf(["ok", "degraded", "unavailable"])
    )
    broker = fields.String(
        required=True,
        validate=validate.OneOf(["ok", "away", "full"]),
        metadata=described(
            "`full`: it answers, but accepts no writes, or has less than BROKER_MIN_FREE left."
        ),
    )
    database = fields.String(
        required=True,
        validate=validate.OneOf(["ok", "away", "full"]),
        metadata=described("`full`: its disk has less than DISK_MIN_FREE left."),
    )
    queue = fields.Nested(QueueSchema, required=True, allow_none=True)


class AliveAnswer(ma.Schema):
    """The process answers."""

    status = fields.String(required=True)


class ReadyAnswer(Answer):
    """Broker and database answer too."""

    status = fields.String(required=True)
    queue = fields.Nested(QueueSchema, required=True)
