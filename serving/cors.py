"""Cross-origin requests: which pages may call the doors and the API."""

from flask import Response, request

_HEADERS = (
    "Authorization, Content-Encoding, Content-Type, Idempotency-Key, Traceparent, Tracestate, "
    "X-Client-Id, X-Request-Id, X-Workspace-Id"
)


def origins_of(setting: str) -> frozenset[str]:
    """The origins that `CORS_ORIGINS` lists, `*` for any."""
    return frozenset(origin.strip() for origin in setting.split(",") if origin.strip())


def allow_origin(response: Response, origins: frozenset[str], *, credentials: bool = False) -> None:
    """Let the page that sent the request read the response, if it is from one of `origins`.

    Args:
        response: gets the headers, and those of a preflight if the request is one.
        origins: from :func:`origins_of`.
        credentials: allow origins that are listed by name to send cookies, as
            `navigator.sendBeacon` always does.
    """
    if not origins:
        return
    response.vary.add("Origin")
    origin = request.headers.get("Origin", "")
    named = origin in origins
    if not named and "*" not in origins:
        return
    response.headers["Access-Control-Allow-Origin"] = origin if named and origin != "*" else "*"
    if named and credentials:
        response.headers["Access-Control-Allow-Credentials"] = "true"
    response.headers["Access-Control-Expose-Headers"] = "X-Request-Id, X-Sheaf-Receipt, Retry-After"
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, DELETE, OPTIONS"
        response.headers["Access-Control-Allow-Headers"] = _HEADERS
        response.headers["Access-Control-Max-Age"] = "600"
