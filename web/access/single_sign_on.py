"""Single sign-on: who a browser's user is, as an OpenID Connect provider says.

Authlib does the protocol: the authorization code flow with PKCE, state and nonce, and the checks
of the ID token. What it leaves to its caller is done here and in `provider.py`: the audience, the
issuer of the provider's metadata, and which signatures are accepted.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
import structlog
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.base_client.errors import MismatchingStateError
from authlib.integrations.flask_client import OAuthError
from flask import Flask, current_app, request, session, url_for
from joserfc.errors import JoseError
from werkzeug import Response

from config.roles import role_rules
from config.settings import Settings
from web.access.provider import Providers

log = structlog.get_logger(__name__)

_TIMEOUT = 10
"""Seconds that the provider may take for an answer."""

_LEEWAY = 120
"""Seconds by which the provider's clock may differ."""

_MOST_GROUP_BYTES = 1500
"""Names of groups that fit into a session's cookie."""

_LONGEST_SUBJECT = 255
"""Characters of a user's id: OpenID Connect's maximum."""

_LONGEST_NAME = 100

_EXTENSION = "sheaf.single_sign_on"
_STATE = "_state_"


class SignOnError(Exception):
    """Nobody is signed in; the text is a sentence for the user."""

    def __init__(self, text: str, code: int) -> None:
        """Refuse with an HTTP status."""
        super().__init__(text)
        self.text = text
        self.code = code


@dataclass(frozen=True, slots=True)
class User:
    """Who has signed in.

    Attributes:
        subject: the provider's id of the user, which never changes.
        name: what people call the user.
        groups: those that OIDC_ROLES names.
    """

    subject: str
    name: str
    groups: tuple[str, ...]


class SingleSignOn:
    """The provider that the settings name; any thread may use it."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        """Ask nothing of the provider before somebody signs in."""
        self._settings = settings
        address = settings.oidc_issuer.rstrip("/")
        self._provider = Providers(app).register(
            "sheaf",
            client_id=settings.oidc_client_id,
            client_secret=settings.oidc_client_secret,
            server_metadata_url=f"{address}/.well-known/openid-configuration",
            client_kwargs={
                "issuer": settings.oidc_issuer,
                "scope": settings.oidc_scopes,
                "code_challenge_method": "S256",
                "default_timeout": _TIMEOUT,
                # The access token is used at once, however short its life.
                "leeway": 0,
            },
        )

    def begin(self, place: str) -> Response:
        """Send the browser to the provider; afterwards it goes to `place`.

        Raises:
            SignOnError: the provider cannot be used now.
        """
        # An attempt that was given up must not fill the cookie.
        for name in [name for name in session if name.startswith(_STATE)]:
            session.pop(name)
        session["next"] = place
        with _sentences():
            begun: Response = self._provider.authorize_redirect(self._redirect_uri())
        return begun

    def finish(self) -> User:
        """Who comes back from the provider with the current request.

        Raises:
            SignOnError: the answer is refused, or the provider cannot be used now.
        """
        with _sentences():
            if error := request.args.get("error"):
                raise OAuthError(re.sub(r"[^a-z_]", "", error)[:50])
            options = {
                "iss": {"essential": True, "value": self._settings.oidc_issuer},
                "aud": {"essential": True, "value": self._settings.oidc_client_id},
            }
            token = self._provider.authorize_access_token(claims_options=options, leeway=_LEEWAY)
            return self._user(self._claims(token))

    def _redirect_uri(self) -> str:
        public = self._settings.public_url.rstrip("/")
        if public:
            return public + url_for("sign_in.finish_single_sign_on")
        return url_for("sign_in.finish_single_sign_on", _external=True)

    def _claims(self, token: dict[str, Any]) -> dict[str, Any]:
        """The ID token's claims; also those of the user info if the groups are only there."""
        claims = token.get("userinfo")
        if not claims:
            raise OAuthError("missing_id_token", "the answer has no ID token")
        known = self._provider.load_server_metadata()
        if self._settings.oidc_groups_claim in claims or not known.get("userinfo_endpoint"):
            return dict(claims)
        more = self._provider.userinfo(token=token)
        if more.get("sub") != claims["sub"]:
            raise OAuthError("wrong_subject", "the user info is another user's")
        return {**more, **claims}

    def _user(self, claims: dict[str, Any]) -> User:
        subject = _subject(claims)
        names = ("name", "preferred_username", "email")
        name = next((str(claims[each]) for each in names if claims.get(each)), subject)
        given = claims.get(self._settings.oidc_groups_claim)
        groups = given if isinstance(given, list) else [given]
        named = {rule.group for rule in role_rules(self._settings.oidc_roles)}
        known = sorted(named.intersection(each for each in groups if isinstance(each, str)))
        if len("".join(known)) > _MOST_GROUP_BYTES:
            text = (
                f"You are in {len(known)} groups of OIDC_ROLES, more than a cookie can keep. An "
                "administrator can name fewer of them there."
            )
            raise SignOnError(text, 403)
        return User(subject, name[:_LONGEST_NAME], tuple(known))


def current_single_sign_on() -> SingleSignOn | None:
    """Single sign-on of the app that answers the current request; None if it has none."""
    found: SingleSignOn | None = current_app.extensions.get(_EXTENSION)
    return found


def provide_single_sign_on(app: Flask, settings: Settings) -> None:
    """Keep single sign-on in `app`, if the settings name a provider."""
    if settings.oidc_issuer:
        app.extensions[_EXTENSION] = SingleSignOn(app, settings)


def _subject(claims: dict[str, Any]) -> str:
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT:
        text = f"the user's id must have 1 to {_LONGEST_SUBJECT} characters"
        raise OAuthError("wrong_subject", text)
    return subject


@contextmanager
def _sentences() -> Iterator[None]:
    """Errors of the protocol become sentences for the user, with details in the log."""
    try:
        yield
    except MismatchingStateError as error:
        text = (
            "This sign-in was not begun in this browser at this address, was already used, or took "
            "more than an hour. Sign in again."
        )
        raise SignOnError(text, 400) from error
    except requests.RequestException as error:
        log.warning("single sign-on: provider unavailable", error=str(error))
        text = "The identity provider cannot be reached; try again later, or sign in with a key."
        raise SignOnError(text, 503) from error
    except (AuthlibBaseError, JoseError, LookupError, RuntimeError, TypeError, ValueError) as error:
        log.warning("single sign-on: refused", error=str(error))
        text = f"The identity provider's answer was refused: {error}. See the log of the API."
        raise SignOnError(text, 403) from error
