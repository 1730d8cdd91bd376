"""Which settings of single sign-on go together."""

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from config.roles import role_rules

if TYPE_CHECKING:
    from config.settings import Settings

_NEEDED = ("oidc_issuer", "oidc_client_id", "oidc_client_secret", "oidc_roles")


def check_single_sign_on(settings: "Settings") -> None:
    """Check OIDC_* and PUBLIC_URL.

    Raises:
        ValueError: they contradict each other, or are wrong; the text says how to mend it.
    """
    role_rules(settings.oidc_roles)
    _check_address("PUBLIC_URL", settings.public_url)
    if urlsplit(settings.public_url).path.strip("/"):
        raise ValueError("PUBLIC_URL must have no path, such as https://sheaf.example.com")
    if not any(getattr(settings, name) for name in _NEEDED):
        return
    if missing := [name.upper() for name in _NEEDED if not getattr(settings, name)]:
        names = ", ".join(name.upper() for name in _NEEDED)
        text = f"{' and '.join(missing)} must be set too: single sign-on needs all of {names}"
        raise ValueError(text)
    if settings.auth != "keys":
        raise ValueError("OIDC_ISSUER needs AUTH=keys: with AUTH=off, anyone may do anything")
    if "openid" not in settings.oidc_scopes.split():
        raise ValueError("OIDC_SCOPES must contain openid, such as openid profile email groups")
    _check_address("OIDC_ISSUER", settings.oidc_issuer)
    if urlsplit(settings.oidc_issuer).scheme != "https" and not _is_here(settings.oidc_issuer):
        raise ValueError("OIDC_ISSUER must begin with https://, unless it is on this machine")


def _check_address(name: str, url: str) -> None:
    if not url:
        return
    parts = urlsplit(url)
    is_plain = not (parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not is_plain:
        text = f"{name} must be an address such as https://sheaf.example.com, without user or query"
        raise ValueError(text)


def _is_here(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
