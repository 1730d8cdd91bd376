"""Signing in to the page with a key or single sign-on, and out again."""

import re

from flask import Blueprint, abort, redirect, render_template, request, session, url_for
from werkzeug import Response

from access.principal import AccessError, Principal
from web.access.single_sign_on import SignOnError, SingleSignOn, User, current_single_sign_on
from web.http.origin import is_same_origin
from web.http.resources import current_resources
from web.http.sessions import forget, remember
from web.http.user_sessions import (
    choose_workspace,
    must_choose,
    remember_user,
    workspaces_of_session,
)

_ELSEWHERE = "Sign in on Sheaf's own page."
_PLACE = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")
"""A path of this site. Browsers read two slashes, also backslashes, as the start of a host."""

_LONGEST_PLACE = 1000
"""Characters of an address to go to afterwards: during single sign-on, a cookie keeps it."""


def sign_in_blueprint() -> Blueprint:
    """The routes `/sign-in` and `/sign-out`, and those below."""
    blueprint = Blueprint("sign_in", __name__, template_folder="templates")

    @blueprint.get("/sign-in")
    def page() -> Response | str:
        return _choice() if must_choose() else _page()

    @blueprint.post("/sign-in")
    def sign_in() -> Response | tuple[str, int]:
        if not is_same_origin():
            return _page(_ELSEWHERE), 403
        try:
            token = request.form.get("key", "").strip()
            principal = current_resources().access.principal(f"Bearer {token}")
        except AccessError as error:
            return _page(error.text), 401
        _record(principal, {})
        remember("key", {"id": principal.id})
        return redirect(_place(), 303)

    @blueprint.post("/sign-out")
    def sign_out() -> Response:
        if is_same_origin():
            forget()
        return redirect(url_for("sign_in.page"), 303)

    _add_single_sign_on(blueprint)
    return blueprint


def _add_single_sign_on(blueprint: Blueprint) -> None:
    # A link: from a form, browsers follow no redirect to another site (form-action).
    @blueprint.get("/sign-in/single-sign-on")
    def begin_single_sign_on() -> Response | tuple[str, int]:
        try:
            return _single_sign_on().begin(_place())
        except SignOnError as error:
            return _page(error.text), error.code

    @blueprint.get("/sign-in/callback")
    def finish_single_sign_on() -> Response | tuple[str, int]:
        place = session.get("next", "/")
        try:
            user = _single_sign_on().finish()
        except SignOnError as error:
            return _page(error.text), error.code
        return _admit(user, place)

    @blueprint.get("/sign-in/workspace")
    def workspaces() -> Response | str:
        return _choice()

    @blueprint.post("/sign-in/workspace")
    def choose() -> Response | str | tuple[str, int]:
        if not is_same_origin():
            return _page(_ELSEWHERE), 403
        principal = choose_workspace(request.form.get("workspace_id", ""))
        if principal is None:
            return _choice()
        _record(principal, {"single_sign_on": True})
        return redirect(_place(), 303)


def _admit(user: User, place: str) -> Response | tuple[str, int]:
    """Begin the user's session, or say that no group of the user may use Sheaf."""
    if not user.groups:
        forget()
        text = (
            f"You are signed in as {user.name}, but none of your groups may use Sheaf. An "
            "administrator can add one to OIDC_ROLES."
        )
        return _page(text), 403
    principal = remember_user(user.subject, user.name, user.groups)
    if principal is None:
        return redirect(url_for("sign_in.workspaces", next=place), 303)
    _record(principal, {"single_sign_on": True})
    return redirect(place, 303)


def _choice() -> Response | str:
    """The page that asks for the workspace; without a session that has some, signing in."""
    found = workspaces_of_session()
    if not found:
        return redirect(url_for("sign_in.page", next=_place()), 303)
    return render_template("choose_workspace.html", next=_place(), workspaces=found)


def _page(mistake: str = "") -> str:
    has_single_sign_on = current_single_sign_on() is not None
    return render_template(
        "sign_in.html", next=_place(), mistake=mistake, single_sign_on=has_single_sign_on
    )


def _record(principal: Principal, details: dict[str, bool]) -> None:
    address = request.remote_addr or ""
    audit = current_resources().audit
    audit.record(principal, "sign_in", principal.workspace_id, details, address)


def _single_sign_on() -> SingleSignOn:
    found = current_single_sign_on()
    if found is None:
        abort(404, "There is no single sign-on here; OIDC_ISSUER sets it up.")
    return found


def _place() -> str:
    """Where to go then: a path of this site, whatever the request says."""
    asked = request.values.get("next", "/")
    return asked if _PLACE.fullmatch(asked) and len(asked) <= _LONGEST_PLACE else "/"
