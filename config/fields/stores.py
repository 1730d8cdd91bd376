"""Where ClickHouse and the broker are."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from config.fields.port import Port


class StoreSettings(BaseModel):
    """Where ClickHouse and the broker are."""

    data_dir: Path = Field(
        Path("data"),
        description="Folder for the files of the embedded ClickHouse and Valkey.",
    )

    clickhouse_host: str = Field(
        "",
        description="Hosts of the ClickHouse server or cluster, comma-separated: `host`, "
        "`host:port` or `host:port:http_port`. With several, the next is asked when one is away. "
        "Empty: Sheaf starts its own, on 127.0.0.1.",
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
    replicas_must_have: int = Field(
        0,
        ge=0,
        le=100,
        description="Replicas of a shard that must have rows before they count as stored, on a "
        "cluster. 0: most of them where there are three or more, else one.",
    )
    replica_lag_seconds: int = Field(
        30,
        ge=1,
        le=600,
        description="Seconds that a replica may lag for rollups to be computed from it, on a "
        "cluster. Marks hold four times as long in addition, so clocks may differ by two thirds "
        "of it.",
    )

    redis_url: str = Field(
        "",
        description="Broker and ledger (Redis or Valkey). Several addresses, comma-separated, are "
        "several ledgers, by workspace; the first is the main broker "
        "([several ledgers](operating/ledgers.md)). Empty: Sheaf starts its own Valkey.",
    )
    valkey_port: Port = Field(16379, description="Port of the embedded Valkey.")
    appendfsync: Literal["everysec", "always"] = Field(
        "everysec",
        description="When the embedded Valkey syncs its append-only file to disk.",
    )
