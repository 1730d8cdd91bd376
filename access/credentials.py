"""The key in a request's `Authorization`: `Bearer <key>`, or Basic with the key as password."""

import base64
import binascii

from access.principal import NotAuthenticatedError

BEARER = 'Bearer realm="Sheaf"'
SCHEMES = f'{BEARER}, Basic realm="Sheaf"'
"""What answers 401 say in `WWW-Authenticate`."""

_NO_KEY = "Send a key: Authorization: Bearer <key>, or Basic with the key as password."


def token_of(authorization: str) -> str:
    """The key that a request carries.

    Raises:
        NotAuthenticatedError: it carries none; the error says how to send one.
    """
    scheme, _, rest = authorization.strip().partition(" ")
    match scheme.lower():
        case "bearer":
            token = rest.strip()
        case "basic":
            token = _password(rest.strip())
        case _:
            token = ""
    if not token:
        raise NotAuthenticatedError(_NO_KEY, "Authorization")
    return token


def is_bearer(authorization: str) -> bool:
    """Whether a request carries its key as `Bearer`, which browsers never add by themselves."""
    return authorization.strip()[:7].lower() == "bearer "


def _password(encoded: str) -> str:
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return text.partition(":")[2]
