"""Who may reach Sheaf, over what, and how people sign in."""

from typing import Literal

from pydantic import BaseModel, Field


class AccessSettings(BaseModel):
    """Who may reach Sheaf, over what, and how people sign in."""

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
    trusted_proxies: str = Field(
        "127.0.0.1, ::1",
        description="Comma-separated addresses or networks of proxies whose `X-Forwarded-Proto`, "
        "`X-Forwarded-Host` and `X-Forwarded-Port` are believed.",
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
