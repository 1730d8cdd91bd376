"""Batches, disks, backups, retention and rollups."""

from pydantic import BaseModel, Field

from config.units import MIB


class StoringSettings(BaseModel):
    """Batches, disks, backups, retention and rollups."""

    log_batch_size: int = Field(
        150_000, ge=1, le=1_000_000, description="Maximum number of rows per insert."
    )
    log_batch_timeout: float = Field(
        0.5,
        gt=0,
        le=60,
        description="Maximum seconds that a batch waits to fill up; less when traffic stops.",
    )
    batch_max_bytes: int = Field(
        128 * MIB, ge=MIB, description="Maximum uncompressed OTLP bytes per insert."
    )
    worker_threads: int = Field(
        2, ge=1, le=64, description="Batches that a worker stores concurrently."
    )
    insert_timeout: float = Field(30.0, ge=1, le=3600, description="Seconds an insert may take.")
    lease_margin: float = Field(
        15.0,
        ge=1,
        le=3600,
        description="Seconds beyond `INSERT_TIMEOUT` before a silent worker's batch is taken over.",
    )
    fsync_parts: bool = Field(
        default=True, description="Make ClickHouse sync each new part to disk."
    )
    disk_min_free: int = Field(
        512 * MIB,
        ge=0,
        description=(
            "Minimum free bytes on ClickHouse's disk; with fewer, the doors refuse requests. "
            "0: not watched."
        ),
    )
    broker_min_free: int = Field(
        256 * MIB,
        ge=0,
        description=(
            "Minimum free bytes on the embedded Valkey's disk (`DATA_DIR`); with fewer, the doors "
            "refuse requests. 0: not watched."
        ),
    )
    backup_to: str = Field(
        "",
        description="Where backups are: a folder, or `s3://bucket/prefix`. Empty: `backups` in "
        "`DATA_DIR`.",
    )
    backup_every_hours: float = Field(
        0.0,
        ge=0,
        le=24 * 90,
        description="Hours between two backups by schedule. 0: only `sheaf backup` makes any.",
    )
    backup_keep: int = Field(
        14,
        ge=1,
        le=1000,
        description="Number of backups to keep. Older ones are deleted when no kept one needs "
        "them; after this many incremental ones, the next is full.",
    )
    backup_s3_endpoint: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        description="Address of the object storage for backups, such as "
        "`https://s3.eu-central-1.amazonaws.com`.",
    )
    backup_s3_region: str = Field("us-east-1", description="Region of the object storage.")
    backup_s3_key: str = Field("", description="Access key id at the object storage.")
    backup_s3_secret: str = Field("", repr=False, description="Secret of the access key.")
    sweep_interval: float = Field(
        2.0, gt=0, le=3600, description="Seconds between two sweeps for chunks left behind."
    )
    retention_days: int = Field(
        30,
        ge=0,
        le=3650,
        description="Days to keep records, unless the workspace has an override; 0: forever.",
    )

    trace_retention_hours: int = Field(
        72,
        ge=0,
        le=24 * 3650,
        description="Hours to keep spans, unless the workspace has an override; 0: forever.",
    )
    audit_retention_days: int = Field(
        400,
        ge=0,
        le=36_500,
        description="Days to keep entries of the audit log, at least; 0: forever. Whole months of "
        "older entries are deleted.",
    )
    retain_max_bytes: int = Field(
        0,
        ge=0,
        description=(
            "Maximum compressed bytes of all tables in ClickHouse; beyond it, the oldest days are "
            "deleted. 0: no limit."
        ),
    )
    job_window: int = Field(
        604_800,
        ge=1,
        description="Seconds for which a finished job and its export file are available.",
    )
    export_dir: str = Field(
        "",
        description="Folder for export files, shared by workers and API. Empty: in `DATA_DIR`.",
    )

    rollup_interval: float = Field(
        60.0, gt=0, le=86_400, description="Seconds between two checks for stale rollups."
    )
    rollup_mark_seconds: float = Field(
        240.0,
        ge=0,
        le=86_400,
        description=(
            "Seconds for which a write marks its hour as changing; it is rolled up afterwards."
        ),
    )
