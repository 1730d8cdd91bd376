"""The keys: made, found, rotated and revoked."""

from dataclasses import dataclass
from functools import cache

from access.key import Key, hashed, new_token, now_ms
from access.principal import Scope
from access.secret import installation_secret
from config.settings import Settings
from ledger.broker import Broker
from ledger.shared import SharedTable
from storage.clickhouse.client import Clickhouse


@dataclass(frozen=True, slots=True)
class Grant:
    """What a new key may do.

    Attributes:
        scopes: at least one.
        name: what people call it.
        workspace_id: the workspace it is bound to; empty: all.
        client_id: the client it is bound to; empty: all.
        expires_ms: Unix ms; 0: never.
    """

    scopes: tuple[Scope, ...]
    name: str = ""
    workspace_id: str = ""
    client_id: str = ""
    expires_ms: int = 0


class KeyStore:
    """The keys; any thread may use it. Every method raises :class:`SharedError`.

    A key is written to both stores of a shared table, or the writer gets an error: a process that
    starts while one of them is away must not accept a key that was revoked before.
    """

    def __init__(self, settings: Settings, broker: Broker, clickhouse: Clickhouse) -> None:
        """Keep keys in both stores, hashed with the installation's secret."""
        self.table = SharedTable("keys", Key, broker, clickhouse)
        self._secret = cache(lambda: installation_secret(settings))

    def digest(self, token: str) -> str:
        """The hash by which a key is found."""
        return hashed(token, self._secret())

    def create(self, grant: Grant, created_by: str) -> tuple[str, Key]:
        """Make a key. Gives the key itself, which is kept nowhere, and what is kept of it."""
        token, key_id = new_token()
        made = Key(
            id=key_id,
            digest=self.digest(token),
            scopes=grant.scopes,
            name=grant.name,
            workspace_id=grant.workspace_id,
            client_id=grant.client_id,
            created_ms=now_ms(),
            created_by=created_by,
            expires_ms=grant.expires_ms,
        ).changed()
        self.table.put(key_id, made, "No key was made.")
        return token, made

    def rotate(self, key: Key, overlap_seconds: float, created_by: str) -> tuple[str, Key]:
        """Make a successor with the same grant; the old key expires after `overlap_seconds`.

        The successor of a key that expires is valid for as long as the old key was from its start.
        """
        expires = now_ms() + key.expires_ms - key.created_ms if key.expires_ms else 0
        grant = Grant(key.scopes, key.name, key.workspace_id, key.client_id, expires)
        made = self.create(grant, created_by)
        ends = now_ms() + int(overlap_seconds * 1000)
        expires = min(ends, key.expires_ms) if key.expires_ms else ends
        self.table.put(key.id, key.changed(expires_ms=expires), "The old key is still valid.")
        return made

    def revoke(self, key: Key) -> Key:
        """Revoke a key.

        If one of the stores cannot be written, that is an error, although running processes refuse
        the key as soon as the other has it.
        """
        revoked = key.revoked()
        self.table.put(key.id, revoked, "Repeat this until it succeeds.")
        return revoked

    def find(self, key_id: str) -> Key | None:
        """The key of that id."""
        return self.all().get(key_id)

    def all(self) -> dict[str, Key]:
        """All keys, by id."""
        return self.table.all()
