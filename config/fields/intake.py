"""The doors, and the ports of every process."""

from pydantic import BaseModel, Field

from config.fields.port import Port
from config.units import MIB


class IntakeSettings(BaseModel):
    """The doors, and the ports of every process."""

    otel_grpc_port: Port = Field(4317, description="OTLP/gRPC door.")
    otel_http_port: Port = Field(4318, description="OTLP/HTTP and JSON door.")
    api_port: Port = Field(8000, description="Query API and web page.")
    flower_port: Port = Field(5555, description="Flower.")
    flower_url: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        description="Where people reach Flower; the status links to it. Empty: nowhere.",
    )
    api_v1_prefix: str = Field(
        "/api/v1", pattern=r"^(/[A-Za-z0-9._-]+)+$", description="Path prefix of the REST API."
    )
    cors_origins: str = Field(
        "",
        description="Comma-separated origins of pages that may call the API and the HTTP door; "
        "`*` for any.",
    )
    door_processes: int = Field(
        1, ge=1, le=64, description="gRPC door processes that share the port (SO_REUSEPORT)."
    )
    door_threads: int = Field(
        16, ge=1, le=512, description="Threads of the HTTP door, and as many of the API."
    )

    drain_seconds: float = Field(
        0.5,
        ge=0,
        le=300,
        description="Seconds for which a door or the API that was asked to stop says that it is "
        "not ready, but still accepts requests. Behind a load balancer: as long as it takes to "
        "notice.",
    )
    http_connections: int = Field(
        8192,
        ge=16,
        le=1_000_000,
        description="Maximum number of open connections of each door and of the API. Beyond it, "
        "HTTP closes the one that has waited longest, and gRPC accepts no more.",
    )
    receive_seconds: float = Field(
        10.0,
        gt=0,
        le=3600,
        description="Seconds in which the head of an HTTP request must arrive. Over each such "
        "period, its body must arrive at 512 bytes per second or more.",
    )

    max_request_bytes: int = Field(
        16 * MIB,
        ge=1024,
        le=1024 * MIB,
        description="Maximum size of a request in bytes, before and after decompression.",
    )
    max_request_records: int = Field(
        250_000,
        ge=1,
        le=10_000_000,
        description="Maximum number of log records, spans or data points in a request.",
    )
    commit_interval_ms: float = Field(
        2.0,
        ge=0,
        le=1000,
        description="Milliseconds a door waits for more requests to join a commit.",
    )
    ledger_max_bytes: int = Field(
        1024 * MIB,
        ge=MIB,
        description=(
            "High-water mark: bytes of waiting chunks and dead letters "
            "beyond which the doors refuse requests."
        ),
    )
    dead_letters_max_bytes: int = Field(
        0,
        ge=0,
        description=(
            "Maximum bytes of dead letters in the broker; beyond it, the oldest move to "
            "ClickHouse. 0: a quarter of `LEDGER_MAX_BYTES`."
        ),
    )
    broker_timeout: float = Field(
        2.0, gt=0, le=60, description="Seconds a door waits for the broker before it gives up."
    )
    direct_inserts: int = Field(
        2,
        ge=0,
        le=64,
        description="Concurrent direct inserts of each door while the broker is away. 0: none.",
    )
    request_window: int = Field(
        600,
        ge=1,
        le=86_400,
        description="Seconds in which the same bytes or `Idempotency-Key` count as a retry.",
    )
    receipt_window: int = Field(
        3600,
        ge=1,
        le=604_800,
        description="Seconds for which a receipt is available after its records are stored.",
    )
