"""All of Sheaf's settings.

The code that starts a process reads them from the environment with :func:`load`, once, and passes
them on as arguments. Nothing else reads the environment.
"""

import ipaddress
import sys
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from config.single_sign_on import check_single_sign_on

Port = Annotated[int, Field(ge=1, le=65535)]

MIB = 1024 * 1024


class SettingsError(Exception):
    """A setting has a value that Sheaf cannot run with; the text says which and why."""


class Settings(BaseSettings):
    """Settings from environment variables, named as the fields in upper case."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    data_dir: Path = Field(
        Path("data"),
        description="Folder for the files of the embedded ClickHouse and Valkey.",
    )

    clickhouse_host: str = Field(
        "",
        description="Host of the ClickHouse server. Empty: Sheaf starts its own, on 127.0.0.1.",
    )
    clickhouse_port: Port = Field(
        19000,
        description="Native protocol port. 9000 if `CLICKHOUSE_HOST` is set and this is not.",
    )
    clickhouse_http_port: Port = Field(
        18123,
        description="HTTP port, for inserts. 8123 if `CLICKHOUSE_HOST` is set and this is not.",
    )
    clickhouse_user: str = Field("default", description="ClickHouse user.")
    clickhouse_password: str = Field("", description="ClickHouse password.", repr=False)
    clickhouse_database: str = Field(
        "default",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="Database for Sheaf's tables; created if it is missing.",
    )
    clickhouse_secure: bool = Field(default=False, description="Use TLS on both ClickHouse ports.")
    clickhouse_cluster: str = Field(
        "",
        pattern=r"^[A-Za-z0-9_.-]*$",
        description="Cluster name: makes tables Replicated, with Distributed tables on top.",
    )

    redis_url: str = Field(
        "",
        description="Broker and ledger (Redis or Valkey). Empty: Sheaf starts its own Valkey.",
    )
    valkey_port: Port = Field(16379, description="Port of the embedded Valkey.")
    appendfsync: Literal["everysec", "always"] = Field(
        "everysec",
        description="When the embedded Valkey syncs its append-only file to disk.",
    )

    listen_host: str = Field(
        "127.0.0.1",
        description="Address on which the doors, the API and Flower listen. Beyond this machine: "
        "`0.0.0.0`, with `AUTH=keys`.",
    )
    auth: Literal["off", "keys"] = Field(
        "off",
        description="`keys`: every request needs a key. `off`: anyone who reaches a port may do "
        "anything; only on loopback, or with `ALLOW_OPEN`.",
    )
    allow_open: bool = Field(
        default=False, description="Allow `AUTH=off` on addresses that others can reach."
    )
    secret_key: str = Field(
        "",
        repr=False,
        description="Secret of the installation, the same in all processes: it keys the hashes of "
        "keys and signs sessions. Empty: made once, in `DATA_DIR`.",
    )
    sheaf_admin_key: str = Field(
        "",
        repr=False,
        description="A key with the scope `admin`, valid as long as it is set. Empty: `sheaf run` "
        "makes one at its first start and prints it.",
    )
    sheaf_key: str = Field(
        "",
        repr=False,
        description="The key that `sheaf tail` and `sheaf generate` send.",
    )
    tls_cert: str = Field(
        "",
        description="File with the certificate of the doors, the API and Flower, PEM, with its "
        "chain. It is read again when it changes. Empty: no TLS.",
    )
    tls_key: str = Field("", description="File with the certificate's key, PEM.")
    tls_client_ca: str = Field(
        "",
        description="File with certificates, PEM, that sign those of clients. Empty: clients "
        "need none.",
    )
    tls_min_version: Literal["1.2", "1.3"] = Field(
        "1.2", description="Minimum version of TLS, over HTTP."
    )
    session_hours: float = Field(
        12.0, gt=0, le=24 * 90, description="Hours after which the page asks to sign in again."
    )
    public_url: str = Field(
        "",
        description="Address at which browsers reach the page when that is a proxy, such as "
        "`https://sheaf.example.com`. Empty: the one that the request names.",
    )
    oidc_issuer: str = Field(
        "",
        description="Issuer of the OpenID Connect provider for single sign-on, exactly as it calls "
        "itself. Empty: no single sign-on.",
    )
    oidc_client_id: str = Field("", description="Id of Sheaf at the provider.")
    oidc_client_secret: str = Field("", repr=False, description="Secret of Sheaf at the provider.")
    oidc_scopes: str = Field(
        "openid profile email groups",
        description="Scopes that Sheaf asks the provider for, separated by spaces.",
    )
    oidc_groups_claim: str = Field(
        "groups", min_length=1, description="Claim that has the names of the user's groups."
    )
    oidc_roles: str = Field(
        "",
        description="What the members of a group may do: comma-separated `group=scope` or "
        "`group=scope:workspace`, such as `sre=admin, payments=read:payments`.",
    )
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

    @model_validator(mode="before")
    @classmethod
    def _default_ports(cls, values: dict[str, object]) -> dict[str, object]:
        if values.get("clickhouse_host"):
            secure = str(values.get("clickhouse_secure", "")).lower() in {"1", "true", "yes", "on"}
            values.setdefault("clickhouse_port", 9440 if secure else 9000)
            values.setdefault("clickhouse_http_port", 8443 if secure else 8123)
        return values

    @model_validator(mode="after")
    def _distinct_ports(self) -> Self:
        named = {
            "OTEL_GRPC_PORT": self.otel_grpc_port,
            "OTEL_HTTP_PORT": self.otel_http_port,
            "API_PORT": self.api_port,
            "FLOWER_PORT": self.flower_port,
        }
        taken: dict[int, str] = {}
        for name, port in named.items():
            if port in taken:
                raise ValueError(f"{taken[port]} and {name} are both {port}; they must differ")
            taken[port] = name
        return self

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if self.auth == "off" and not (self.allow_open or is_loopback(self.listen_host)):
            raise ValueError(
                f"AUTH=off and LISTEN_HOST={self.listen_host}: anyone who reaches this address may "
                "read and delete everything. Set AUTH=keys, or LISTEN_HOST=127.0.0.1, or "
                "ALLOW_OPEN=true"
            )
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ValueError("TLS_CERT and TLS_KEY belong together: set both, or none")
        if self.auth == "keys" and not self.secret_key and (self.clickhouse_host or self.redis_url):
            raise ValueError(
                "AUTH=keys with CLICKHOUSE_HOST or REDIS_URL needs SECRET_KEY, the same in all "
                "processes: 32 characters or more, such as `openssl rand -hex 32` makes"
            )
        for name in ("secret_key", "sheaf_admin_key"):
            if 0 < len(getattr(self, name)) < _LEAST_SECRET:
                raise ValueError(f"{name.upper()} must have at least {_LEAST_SECRET} characters")
        return self

    @model_validator(mode="after")
    def _single_sign_on(self) -> Self:
        check_single_sign_on(self)
        return self

    @property
    def scheme(self) -> str:
        """`https`, or `http` without a certificate."""
        return "https" if self.tls_cert else "http"

    @property
    def embedded_clickhouse(self) -> bool:
        """Whether Sheaf runs its own ClickHouse."""
        return not self.clickhouse_host

    @property
    def embedded_valkey(self) -> bool:
        """Whether Sheaf runs its own Valkey."""
        return not self.redis_url

    @property
    def most_dead_bytes(self) -> int:
        """Bytes of dead letters that the broker keeps."""
        return self.dead_letters_max_bytes or self.ledger_max_bytes // 4

    @property
    def clickhouse_address(self) -> str:
        """Host name or address to reach ClickHouse at."""
        return self.clickhouse_host or "127.0.0.1"

    @property
    def broker_url(self) -> str:
        """URL of the broker and ledger."""
        return self.redis_url or f"redis://127.0.0.1:{self.valkey_port}/0"


def load() -> Settings:
    """Read the settings from the environment.

    Raises:
        SettingsError: A value is missing, malformed or contradicts another; one sentence each.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("\n".join(_sentences(error))) from None


def load_or_exit() -> Settings:
    """Like :func:`load`, but exits with the message on an error."""
    try:
        return load()
    except SettingsError as error:
        sys.exit(str(error))


def _sentences(error: ValidationError) -> list[str]:
    sentences = []
    for problem in error.errors():
        name = ".".join(str(part) for part in problem["loc"]).upper()
        text = problem["msg"].removeprefix("Value error, ")
        value = "" if name in _SECRET else f"={problem['input']!r}"
        sentences.append(f"{name}{value}: {text}." if name else f"{text}.")
    return sentences


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address or name."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_SECRET = frozenset(
    {
        *("CLICKHOUSE_PASSWORD", "REDIS_URL"),
        *("SECRET_KEY", "SHEAF_ADMIN_KEY", "OIDC_CLIENT_SECRET"),
    }
)
_LEAST_SECRET = 20
