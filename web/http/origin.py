"""Whether a browser's request comes from a page of this site.

Browsers do not keep the pages of other sites from opening a WebSocket or sending a form here, with
the user's cookie. They say where such a page is from, in `Origin`, which no page can change.
"""

import ipaddress
from urllib.parse import urlsplit

from flask import request

from config.settings import Settings, names_in
from web.http.resources import current_resources

_PORTS = {"http": 80, "https": 443}


def is_same_origin() -> bool:
    """Whether `Origin` of the current request is where browsers reach this site.

    That is PUBLIC_URL, or what the request names: `X-Forwarded-Host` and `X-Forwarded-Port` if
    a proxy of TRUSTED_PROXIES has sent them, otherwise `Host`. Another port is another site.
    """
    origin = request.headers.get("Origin", "")
    settings = current_resources().settings
    if settings.public_url and origin == settings.public_url.rstrip("/"):
        return True
    # A proxy that ends TLS passes plain HTTP on.
    scheme, _, place = origin.partition("://")
    if scheme not in {"https", request.scheme} or scheme not in _PORTS:
        return False
    page, here = (_host_and_port(each, _PORTS[scheme]) for each in (place, _host(settings)))
    return page is not None and page == here


def refusal() -> str:
    """Why a page of another site may not do something, as a sentence."""
    origin = request.headers.get("Origin", "")[:200]
    return (
        f"Pages of {origin} may do this only if CORS_ORIGINS lists that origin, or if it is "
        f"Sheaf's own, which this request says is {request.host[:200]}. Behind a proxy, set "
        "PUBLIC_URL, or pass the host with its port (nginx: proxy_set_header Host $http_host)."
    )


def _host(settings: Settings) -> str:
    """The host that a browser asked, with its port, as far as the request says so."""
    if not _is_trusted(request.remote_addr or "", settings):
        return request.host
    host = _first("X-Forwarded-Host") or request.host
    port = _first("X-Forwarded-Port")
    if not port:
        return host
    return f"{host.rpartition(':')[0] if _has_port(host) else host}:{port}"


def _is_trusted(address: str, settings: Settings) -> bool:
    try:
        client = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(client in ipaddress.ip_network(each) for each in names_in(settings.trusted_proxies))


def _first(header: str) -> str:
    """What the proxy that is nearest to the browser has sent."""
    return request.headers.get(header, "").partition(",")[0].strip()


def _has_port(host: str) -> bool:
    return host.rpartition(":")[2].isdigit() and not host.endswith("]")


def _host_and_port(place: str, default: int) -> tuple[str, int] | None:
    try:
        parts = urlsplit(f"//{place}")
        port = parts.port
    except ValueError:
        return None
    if parts.hostname is None or parts.netloc != place or "@" in place:
        return None
    return parts.hostname, default if port is None else port
