"""Who sends a request, as far as this process knows the keys."""

import time
from collections.abc import Mapping
from typing import Protocol

from access.credentials import token_of
from access.key import Key
from access.principal import ANYONE, KeysUnavailableError, NotAuthenticatedError, Principal
from access.store import KeyStore
from config.settings import Settings
from ledger.shared import SharedView

ADMIN_KEY_ID = "SHEAF_ADMIN_KEY"

_MOST_REMEMBERED = 10_000
"""`Authorization` headers whose principal is known: with Basic, a key has many."""

_LONGEST_REMEMBERED = 256
"""Characters of such a header; one with a long user name would take much memory."""


class Access(Protocol):
    """Who sends a request."""

    def principal(self, authorization: str) -> Principal:
        """The principal behind an `Authorization` header.

        Raises:
            NotAuthenticatedError: there is no key, or it is not valid.
            KeysUnavailableError: the key is not known, and not all keys could be read.
        """

    def by_id(self, key_id: str) -> Principal | None:
        """The principal of a key that is valid now; None if it is not.

        Raises:
            KeysUnavailableError: as :meth:`principal`.
        """

    def start(self) -> None:
        """Look at the keys for the first time, and from then on."""

    def stop(self) -> None:
        """Look no more."""


def access_of(settings: Settings, store: KeyStore) -> Access:
    """Access as `AUTH` says, with the keys of `store`."""
    return KeyView(settings, store) if settings.auth == "keys" else Open()


class Open:
    """Anyone may do anything."""

    def principal(self, authorization: str) -> Principal:  # noqa: ARG002 - as Access has it
        """Anyone."""
        return ANYONE

    def by_id(self, key_id: str) -> Principal | None:  # noqa: ARG002 - as Access has it
        """Anyone."""
        return ANYONE

    def start(self) -> None:
        """Nothing is to be done."""

    def stop(self) -> None:
        """Nothing is to be done."""


class KeyView:
    """The keys that this process knows; thread-safe. A revocation takes effect within seconds."""

    def __init__(self, settings: Settings, store: KeyStore) -> None:
        """Look at `store`; `SHEAF_ADMIN_KEY` is valid beside what it has."""
        self._store = store
        self._given = _given_key(settings, store)
        self._keys: dict[str, Key] = {}
        self._by_digest: dict[str, Key] = {}
        self._remembered: dict[str, tuple[Key, Principal]] = {}
        self._view = SharedView(store.table, self._learn)
        self._learn({})

    def start(self) -> None:
        """Look once, then every second."""
        self._view.start()

    def stop(self) -> None:
        """Look no more."""
        self._view.stop()

    def refresh(self) -> None:
        """Look now."""
        self._view.refresh()

    def principal(self, authorization: str) -> Principal:
        """The principal of the key in an `Authorization` header; see :class:`Access`."""
        remembered = self._remembered.get(authorization)
        key, principal = remembered or self._remember(authorization)
        if not key.valid_at(time.time() * 1000):
            state = "revoked" if key.revoked_ms else "expired"
            raise NotAuthenticatedError(f"The key is {state}.", "Authorization")
        return principal

    def by_id(self, key_id: str) -> Principal | None:
        """The principal of a key that is valid now."""
        key = self._keys.get(key_id)
        if key is None:
            self._require_all_read()
        return key.principal if key and key.valid_at(time.time() * 1000) else None

    def _learn(self, found: Mapping[str, Key]) -> None:
        given = {self._given.id: self._given} if self._given else {}
        self._keys = {**found, **given}
        self._by_digest = {key.digest: key for key in self._keys.values()}
        self._remembered = {}

    def _remember(self, authorization: str) -> tuple[Key, Principal]:
        # Taken before the look: what is learned meanwhile begins another.
        remembered = self._remembered
        key = self._look_up(token_of(authorization))
        found = (key, key.principal)
        if len(authorization) <= _LONGEST_REMEMBERED:
            if len(remembered) >= _MOST_REMEMBERED:
                remembered.clear()
            remembered[authorization] = found
        return found

    def _look_up(self, token: str) -> Key:
        key = self._by_digest.get(self._store.digest(token))
        if key is not None:
            return key
        self._require_all_read()
        raise NotAuthenticatedError("The key is not known.", "Authorization")

    def _require_all_read(self) -> None:
        if missing := " and ".join(sorted(self._view.unread)):
            raise KeysUnavailableError(
                f"The key cannot be checked: {missing} could not be read since this process started"
            )


def _given_key(settings: Settings, store: KeyStore) -> Key | None:
    if not settings.sheaf_admin_key:
        return None
    digest = store.digest(settings.sheaf_admin_key)
    return Key(
        # Another key has another id, so that sessions of the old one end.
        id=f"{ADMIN_KEY_ID}:{digest[:8]}",
        digest=digest,
        scopes=("admin",),
        name=ADMIN_KEY_ID,
    )
