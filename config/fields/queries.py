"""Queries, the live tail, `sheaf generate`, and Sheaf's own log."""

from typing import Literal

from pydantic import BaseModel, Field

from config.units import MIB


class QuerySettings(BaseModel):
    """Queries, the live tail, `sheaf generate`, and Sheaf's own log."""

    query_max_seconds: float = Field(
        30.0,
        gt=0,
        le=3600,
        description=(
            "Time limit of an API request in seconds; "
            "it may spend up to half of it waiting for other queries."
        ),
    )
    query_slots: int = Field(
        0,
        ge=0,
        le=256,
        description=(
            "Heavy API queries that run concurrently. "
            "0: half the number of CPU cores, at least two."
        ),
    )
    query_waiting: int = Field(
        250,
        ge=0,
        le=5000,
        description=(
            "Heavy queries that may wait for a slot, each with a thread; more are answered 503."
        ),
    )
    query_max_memory: int = Field(
        1024 * MIB,
        ge=16 * MIB,
        description=(
            "Memory limit of an API query in bytes; groups beyond a quarter of it spill to disk."
        ),
    )

    live_readers: int = Field(
        100, ge=0, le=1000, description="Concurrent readers of the live tail, each with a thread."
    )
    live_lines_per_second: int = Field(
        200,
        ge=1,
        le=10_000,
        description="Maximum lines per second for one live reader; the rest are only counted.",
    )

    log_interval_seconds: float = Field(
        1.0, ge=0, le=3600, description="Seconds between two batches of `sheaf generate`."
    )
    max_logs_to_generate: int = Field(
        1000, ge=0, description="Number of records that `sheaf generate` creates; 0: no limit."
    )

    run_id_attribute: str = Field(
        "run_id",
        min_length=1,
        description="Span or resource attribute that names the run a trace belongs to.",
    )

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Minimum level of Sheaf's own log."
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="Format of Sheaf's own log."
    )
