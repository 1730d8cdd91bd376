"""Who sends a request to the API, and whether it may: decided before anything else is done.

Every endpoint but those in `OPEN` needs a key. What it needs of the key are attributes of its view,
which :meth:`web.http.blueprint.ApiBlueprint.endpoint` sets. Without them, reading needs the scope
`read` and every other method `admin`.
"""

from collections.abc import Callable
from typing import Any

from flask import Flask, current_app, g, redirect, request, url_for
from werkzeug import Response

from access.credentials import is_bearer
from access.principal import AccessError, NotAllowedError, NotAuthenticatedError, Principal, Scope
from access.view import Access
from config.settings import Settings
from serving.cors import origins_of
from web.http.origin import is_same_origin, refusal
from web.http.resources import current_resources
from web.http.sessions import READING, Session, current_session
from web.http.user_sessions import user_principal

OPEN = frozenset(
    {
        *("health.health", "health.ready", "page.static"),
        *("sign_in.page", "sign_in.sign_in", "sign_in.sign_out"),
        *("sign_in.begin_single_sign_on", "sign_in.finish_single_sign_on"),
        *("sign_in.workspaces", "sign_in.choose"),
    }
)
"""Endpoints that need no key."""

SUBPROTOCOL = "sheaf"
"""A WebSocket's client that can set no header offers this and its key as subprotocols."""

DEFAULT_WORKSPACE = "default"
"""The workspace of requests that name none, with a key that is bound to none."""

_PAGES = "page."
_WITHOUT_RECORDS = (_PAGES, "api-docs.")
"""Endpoints, by how their names begin, that are the same for all keys."""

_ORIGINS = "SHEAF_ORIGINS"


def guard_requests(app: Flask, access: Access, settings: Settings) -> None:
    """Check every request to `app` before it is answered."""
    app.extensions["sheaf.access"] = access
    app.config[_ORIGINS] = origins_of(settings.cors_origins)

    @app.before_request
    def check() -> Response | None:
        # An unknown path tells nothing but that it is unknown.
        if request.url_rule is None or request.endpoint in OPEN or request.method == "OPTIONS":
            return None
        try:
            g.principal = _principal(access)
            _check_origin()
        except NotAuthenticatedError:
            if (request.endpoint or "").startswith(_PAGES):
                return redirect(url_for("sign_in.page", next=request.full_path), 303)
            raise
        _check(current_app.view_functions[request.endpoint or ""], g.principal)
        return None


def needs(
    view: Callable[..., Any], *, scope: Scope | None, everywhere: bool, by_client: bool
) -> None:
    """Note what a request to a view needs.

    Args:
        view: the view.
        scope: the scope; None: as the method says.
        everywhere: whether it concerns all workspaces.
        by_client: whether it can be limited to one client of a workspace.
    """
    view.scope = scope  # type: ignore[attr-defined] # functions take attributes
    view.everywhere = everywhere  # type: ignore[attr-defined]
    view.by_client = by_client  # type: ignore[attr-defined]


def current_principal() -> Principal:
    """Who sends the current request."""
    found: Principal = g.principal
    return found


def still_allowed() -> Callable[[], bool]:
    """Tells, of the current request and also later, whether its key or session is still valid."""
    access: Access = current_app.extensions["sheaf.access"]
    key_id = g.principal.id
    began: Session | None = g.session
    if began is None:
        return lambda: access.by_id(key_id) is not None
    is_user = began.kind == "user"
    return lambda: began.is_valid() and (is_user or access.by_id(key_id) is not None)


def _principal(access: Access) -> Principal:
    header = request.headers.get("Authorization", "")
    g.session = None
    if not header and (token := _offered_key()):
        header = f"Bearer {token}"
    if not header and (found := _of_session(access)):
        return found
    return access.principal(header)


def _offered_key() -> str:
    """The key among the subprotocols that a WebSocket's client offers; empty if there is none."""
    offered = request.headers.get("Sec-WebSocket-Protocol", "").replace(" ", "").split(",")
    return offered[1] if len(offered) > 1 and offered[0] == SUBPROTOCOL else ""


def _of_session(access: Access) -> Principal | None:
    began = current_session()
    found = _SESSIONS[began.kind](access, began.content) if began else None
    if found and request.method not in READING and not is_same_origin():
        text = "With a session, changes are only taken from Sheaf's own page."
        raise NotAllowedError(text, "Origin")
    g.session = began if found else None
    return found


def _check_origin() -> None:
    """Refuse what another page lets a browser do with what the browser sends along by itself.

    That is a password it remembers (Basic), or nothing at all, where everyone may do everything.
    Scripts must set `Bearer`, which browsers let them do only for the origins of `CORS_ORIGINS`.
    """
    origin = request.headers.get("Origin", "")
    if not origin or is_bearer(request.headers.get("Authorization", "")) or is_same_origin():
        return
    opens_socket = request.headers.get("Upgrade", "").lower() == "websocket"
    if request.method in READING and not opens_socket:
        return
    if not current_app.config[_ORIGINS] & {origin, "*"}:
        raise NotAllowedError(refusal(), "Origin")


def _of_key(access: Access, content: dict[str, Any]) -> Principal | None:
    return access.by_id(content["id"])


def _of_user(_: Access, content: dict[str, Any]) -> Principal | None:
    return user_principal(current_resources().settings, content)


_SESSIONS = {"key": _of_key, "user": _of_user}


def _check(view: Any, principal: Principal) -> None:  # noqa: ANN401 - any view
    method_scope: Scope = "read" if request.method in READING else "admin"
    principal.check(getattr(view, "scope", None) or method_scope)
    # Before the other arguments are read, so that a wrong one does not hide a refusal.
    principal.workspace(request.headers.get("X-Workspace-Id", ""), "x-workspace-id")
    principal.workspace(request.args.get("workspace_id", ""), "workspace_id")
    principal.client(request.args.get("client_id", ""), "client_id")
    if getattr(view, "everywhere", False):
        principal.check_everywhere()
    is_same_for_all = (request.endpoint or "").startswith(_WITHOUT_RECORDS)
    if principal.client_id and not (is_same_for_all or getattr(view, "by_client", False)):
        text = f"This concerns a whole workspace; you are bound to {principal.client_id}."
        raise NotAllowedError(text, "client_id")


__all__ = [
    "DEFAULT_WORKSPACE",
    "OPEN",
    "SUBPROTOCOL",
    "AccessError",
    "NotAuthenticatedError",
    "current_principal",
    "guard_requests",
    "needs",
    "still_allowed",
]
