"""The answer of `/status`."""

import marshmallow as ma
from marshmallow import fields, validate

from web.http.arguments import described, described_like
from web.http.schemas import Answer, QueueSchema

_STATES = validate.OneOf(["ok", "away", "full"])
_BY_SIGNAL = {"logs": 1200, "traces": 80}


class StoredSchema(ma.Schema):
    """Records of a signal."""

    signal = fields.String(required=True, metadata={"example": "logs"})
    records = fields.Integer(required=True)
    bytes = fields.Integer(required=True, metadata=described("Uncompressed OTLP bytes."))


class RefusedSchema(StoredSchema):
    """What was refused, by reason."""

    reason = fields.String(required=True, metadata={"example": "records_per_second"})
    requests = fields.Integer(required=True)


class WorkspaceStatusSchema(ma.Schema):
    """What a workspace, or one client of it, sent on a day; differences give rates."""

    workspace_id = fields.String(required=True)
    since_ms = fields.Integer(
        required=True, metadata=described("Counted from then on: the start of the day, in UTC.")
    )
    stored = fields.List(
        fields.Nested(StoredSchema),
        required=True,
        allow_none=True,
        metadata=described("Null while a store is away."),
    )
    refused = fields.List(fields.Nested(RefusedSchema), required=True, allow_none=True)
    waiting_chunks = fields.Integer(
        required=True,
        allow_none=True,
        metadata=described("Chunks that are in no batch yet. Null for one client."),
    )
    oldest_seconds = fields.Float(
        required=True, allow_none=True, metadata=described("Age of the oldest of them.")
    )


class CountersSchema(ma.Schema):
    """Counters since the ledger was created."""

    accepted_records = fields.Dict(
        required=True, metadata=described_like("Acknowledged, by signal.", _BY_SIGNAL)
    )
    stored_records = fields.Dict(
        required=True, metadata=described_like("In ClickHouse, by signal.", _BY_SIGNAL)
    )
    dead_records = fields.Dict(
        required=True, metadata=described("That became dead letters, by signal.")
    )
    accepted_chunks = fields.Integer(required=True)
    stored_batches = fields.Integer(required=True)
    further_attempts = fields.Integer(
        required=True, metadata=described("Repeated attempts to store a batch.")
    )
    replayed_chunks = fields.Integer(required=True)
    dropped_chunks = fields.Integer(required=True)


class BatchSchema(ma.Schema):
    """A batch that was stored."""

    at_ms = fields.Integer(required=True, metadata=described("When its chunks left the ledger."))
    signal = fields.String(required=True)
    records = fields.Integer(required=True)
    chunks = fields.Integer(required=True)
    bytes = fields.Integer(required=True, metadata=described("Compressed bytes of the chunks."))
    attempt = fields.Integer(required=True, metadata=described("1: the first succeeded."))
    seconds = fields.Float(
        required=True, allow_none=True, metadata=described("From when it was made to `at_ms`.")
    )
    lag_seconds = fields.Float(
        required=True,
        allow_none=True,
        metadata=described("From when the oldest of its records was acknowledged to `at_ms`."),
    )


class WorkerTaskSchema(ma.Schema):
    """A worker's tasks of one name."""

    name = fields.String(required=True, metadata={"example": "sheaf.store"})
    running = fields.Integer(required=True)
    done = fields.Integer(required=True, metadata=described("Since the worker started."))


class WorkerSchema(ma.Schema):
    """A worker that reported in the last ten seconds."""

    name = fields.String(required=True, metadata={"example": "celery@host"})
    pid = fields.Integer(required=True)
    started_ms = fields.Integer(required=True)
    seen_ms = fields.Integer(required=True, metadata=described("When it reported last."))
    threads = fields.Integer(required=True, metadata=described("Batches at a time, at most."))
    tasks = fields.List(fields.Nested(WorkerTaskSchema), required=True)


class BackupSchema(ma.Schema):
    """A backup that was made, or failed."""

    name = fields.String(required=True, metadata=described("Empty if it failed at once."))
    place = fields.String(required=True, metadata={"example": "s3://backups/sheaf"})
    began_ms = fields.Integer(
        required=True, metadata=described("What was acknowledged until then is in it.")
    )
    ended_ms = fields.Integer(required=True)
    error = fields.String(required=True, metadata=described("Why it failed, or empty."))
    base = fields.String(
        required=True, metadata=described("The backup that it adds to; empty if it is full.")
    )
    rows = fields.Integer(required=True)
    bytes = fields.Integer(required=True, metadata=described("Written for it."))


class TableSchema(ma.Schema):
    """A table of ClickHouse."""

    name = fields.String(required=True, metadata={"example": "otel_logs"})
    rows = fields.Integer(required=True)
    bytes = fields.Integer(required=True, metadata=described("Compressed, on disk."))


class DiskSchema(ma.Schema):
    """Space in bytes, some seconds old; what is not known is null."""

    clickhouse_free = fields.Integer(required=True, allow_none=True)
    clickhouse_size = fields.Integer(
        required=True, allow_none=True, metadata=described("Of the disk that has most free.")
    )
    broker_free = fields.Integer(
        required=True, allow_none=True, metadata=described("On the embedded Valkey's disk.")
    )
    broker_memory = fields.Integer(required=True, allow_none=True)
    broker_max_memory = fields.Integer(
        required=True, allow_none=True, metadata=described("0: no limit.")
    )
    tables = fields.List(
        fields.Nested(TableSchema),
        required=True,
        allow_none=True,
        metadata=described("Largest first; null while ClickHouse is away."),
    )


class LedgerSchema(ma.Schema):
    """One of several ledgers; what it holds is null while it is away."""

    name = fields.String(required=True, metadata={"example": "broker-2:6379/0"})
    open = fields.Boolean(
        required=True, metadata=described("Whether it takes records; `#closed` in REDIS_URL.")
    )
    state = fields.String(required=True, validate=_STATES)
    waiting_chunks = fields.Integer(required=True, allow_none=True)
    waiting_records = fields.Integer(required=True, allow_none=True)
    waiting_bytes = fields.Integer(required=True, allow_none=True)
    dead_chunks = fields.Integer(required=True, allow_none=True)


class SystemStatusSchema(ma.Schema):
    """The whole system; what comes from the broker is null while it is away."""

    problems = fields.List(
        fields.String(), required=True, metadata=described("What is wrong, as clauses.")
    )
    queue = fields.Nested(QueueSchema, required=True, allow_none=True)
    ledgers = fields.List(
        fields.Nested(LedgerSchema),
        required=True,
        metadata=described("The ledgers, the main one first; empty if there is one."),
    )
    counters = fields.Nested(CountersSchema, required=True, allow_none=True)
    batches = fields.List(
        fields.Nested(BatchSchema),
        required=True,
        allow_none=True,
        metadata=described("The last 100 at most, the newest first."),
    )
    workers = fields.List(fields.Nested(WorkerSchema), required=True, allow_none=True)
    unfinished_jobs = fields.Integer(required=True, allow_none=True)
    backups = fields.List(
        fields.Nested(BackupSchema),
        required=True,
        allow_none=True,
        metadata=described("The last 20 at most, the newest first."),
    )
    disk = fields.Nested(DiskSchema, required=True)
    flower_url = fields.String(
        required=True, allow_none=True, metadata=described("`FLOWER_URL`; null if it is not set.")
    )


class StatusAnswer(Answer):
    """What is accepted, waiting and stored. Cheap enough to ask for every two seconds."""

    time_ms = fields.Integer(required=True, metadata=described("When the figures were read."))
    status = fields.String(
        required=True, validate=validate.OneOf(["ok", "degraded", "unavailable"])
    )
    broker = fields.String(required=True, validate=_STATES)
    database = fields.String(required=True, validate=_STATES)
    workspace = fields.Nested(WorkspaceStatusSchema, required=True)
    system = fields.Nested(
        SystemStatusSchema,
        required=True,
        allow_none=True,
        metadata=described("Null for keys that are bound to a workspace."),
    )
