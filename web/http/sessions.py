"""Sessions of browsers, kept in a signed cookie."""

import hashlib
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Flask, current_app, session

from access.secret import installation_secret
from config.settings import Settings

READING = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""

_NAME = "principal"


@dataclass(frozen=True, slots=True)
class Session:
    """A session that somebody has begun.

    Attributes:
        kind: `key`, or `user` after single sign-on.
        ends: when it ends, in Unix seconds.
        content: what it knows.
    """

    kind: str
    ends: float
    content: dict[str, Any]

    def is_valid(self) -> bool:
        """Whether it has not ended."""
        return time.time() < self.ends


def keep_sessions(app: Flask, settings: Settings) -> None:
    """Keep sessions in a signed cookie that scripts cannot read."""
    secret = installation_secret(settings) if settings.auth == "keys" else secrets.token_bytes()
    is_secure = bool(settings.tls_cert) or settings.public_url.startswith("https:")
    app.secret_key = hashlib.sha256(b"sessions\0" + secret).digest()
    app.config.from_mapping(
        # Browsers take a name with this prefix from no other host, and not over plain HTTP.
        SESSION_COOKIE_NAME="__Host-sheaf_session" if is_secure else "sheaf_session",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SECURE=is_secure,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=timedelta(hours=settings.session_hours),
    )


def remember(kind: str, content: dict[str, Any]) -> Session:
    """Begin a session: from now on the cookie says who sends the browser's requests."""
    lifetime = current_app.permanent_session_lifetime.total_seconds()
    session.clear()
    return _keep(Session(kind, time.time() + lifetime, content))


def amend(changes: dict[str, Any]) -> Session | None:
    """Change what the session knows, but not when it ends."""
    found = current_session()
    return _keep(Session(found.kind, found.ends, found.content | changes)) if found else None


def forget() -> None:
    """End the session."""
    session.clear()


def current_session() -> Session | None:
    """The session of the current request; None if it has none, or it has ended."""
    kept = session.get(_NAME)
    # Its own end: the cookie's is put off by every change to it.
    found = Session(kept["kind"], kept["ends"], kept["content"]) if kept else None
    return found if found and found.is_valid() else None


def _keep(made: Session) -> Session:
    session.permanent = True
    session[_NAME] = {"kind": made.kind, "ends": made.ends, "content": made.content}
    return made
