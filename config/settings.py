"""All of Sheaf's settings.

The code that starts a process reads them from the environment with :func:`load`, once, and passes
them on as arguments. Nothing else reads the environment.
"""

import ipaddress
import sys
from pathlib import Path
from typing import Self

from pydantic import ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from config.broker_url import LedgerAddress, check_broker_url, read_addresses
from config.fields.access import AccessSettings
from config.fields.intake import IntakeSettings
from config.fields.queries import QuerySettings
from config.fields.stores import StoreSettings
from config.fields.storing import StoringSettings
from config.hosts import Host, read_hosts
from config.single_sign_on import check_single_sign_on


class SettingsError(Exception):
    """A setting has a value that Sheaf cannot run with; the text says which and why."""


class Settings(
    # The last one's fields come first.
    QuerySettings,
    StoringSettings,
    IntakeSettings,
    AccessSettings,
    StoreSettings,
    BaseSettings,
):
    """Settings from environment variables, named as the fields in upper case."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _default_ports(cls, values: dict[str, object]) -> dict[str, object]:
        if values.get("clickhouse_host"):
            secure = str(values.get("clickhouse_secure", "")).lower() in {"1", "true", "yes", "on"}
            values.setdefault("clickhouse_port", 9440 if secure else 9000)
            values.setdefault("clickhouse_http_port", 8443 if secure else 8123)
        return values

    @model_validator(mode="after")
    def _hosts_are_well_formed(self) -> Self:
        try:
            hosts = self.clickhouse_hosts
        except ValueError as error:
            raise ValueError(f"CLICKHOUSE_HOST: {error}") from None
        if not self.embedded_clickhouse and not hosts:
            raise ValueError("CLICKHOUSE_HOST names no host")
        if len(hosts) > 1 and not self.clickhouse_cluster:
            raise ValueError(
                "CLICKHOUSE_HOST names several hosts, which must be those of one cluster: "
                "set CLICKHOUSE_CLUSTER, or name one host"
            )
        return self

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
    def _proxies(self) -> Self:
        for given in names_in(self.trusted_proxies):
            try:
                ipaddress.ip_network(given)
            except ValueError as error:
                raise ValueError(
                    f"TRUSTED_PROXIES: {error}. Give addresses or networks, such as 10.0.0.0/8"
                ) from None
        return self

    @model_validator(mode="after")
    def _checked_elsewhere(self) -> Self:
        check_broker_url(self.redis_url)
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
        return not self.redis_url.strip()

    @property
    def backups_folder(self) -> Path:
        """The folder of backups on this machine: `BACKUP_TO`, else one in `DATA_DIR`."""
        is_folder = self.backup_to and not self.backup_to.startswith("s3://")
        return (Path(self.backup_to) if is_folder else self.data_dir / "backups").absolute()

    @property
    def most_dead_bytes(self) -> int:
        """Bytes of dead letters that the broker keeps."""
        return self.dead_letters_max_bytes or self.ledger_max_bytes // 4

    @property
    def clickhouse_hosts(self) -> tuple[Host, ...]:
        """Where ClickHouse may be asked; all hosts have the same tables."""
        hosts = self.clickhouse_host or "127.0.0.1"
        return read_hosts(hosts, self.clickhouse_port, self.clickhouse_http_port)

    @property
    def broker_url(self) -> str:
        """URL of the main broker: what is not by workspace is there, and the first ledger."""
        return self.ledger_addresses[0].url

    @property
    def ledger_addresses(self) -> tuple[LedgerAddress, ...]:
        """Where the ledgers are; the first is in the main broker."""
        return read_addresses(self.redis_url.strip() or f"redis://127.0.0.1:{self.valkey_port}/0")


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


def names_in(setting: str) -> list[str]:
    """The parts of a comma-separated setting."""
    return [part.strip() for part in setting.split(",") if part.strip()]


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address or name."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_SECRET = frozenset(
    {
        *("CLICKHOUSE_PASSWORD", "REDIS_URL"),
        *("SECRET_KEY", "SHEAF_ADMIN_KEY", "OIDC_CLIENT_SECRET", "BACKUP_S3_SECRET"),
    }
)
_LEAST_SECRET = 20
