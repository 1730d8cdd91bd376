"""Keys: how they look, how they are kept."""

import hashlib
import secrets
import time
from typing import Any

import msgspec

from access.principal import Principal, Scope
from config.units import NS_PER_MS
from ledger.shared import FINAL_VERSION, next_version

_PREFIX = "sheaf"
_ID_BYTES = 6
_SECRET_BYTES = 24


class Key(msgspec.Struct, frozen=True):
    """A key as it is kept; the key itself is shown once and kept nowhere."""

    id: str
    """Also the visible part of the key: `sheaf_<id>_…`."""
    digest: str
    """Keyed hash of the whole key, in hexadecimal."""
    scopes: tuple[Scope, ...]
    name: str = ""
    workspace_id: str = ""
    """Empty: all workspaces."""
    client_id: str = ""
    """Empty: all clients of the workspace."""
    created_ms: int = 0
    created_by: str = ""
    expires_ms: int = 0
    """Unix ms; 0: never."""
    revoked_ms: int = 0
    """Unix ms; 0: not revoked."""
    version: int = 0
    """Unix ns of the last change; of two versions of a key, the later holds."""

    def changed(self, **changes: Any) -> "Key":  # noqa: ANN401 - any of its fields
        """The next version of the key."""
        version = next_version(self.version)
        return msgspec.structs.replace(self, version=version, **changes)

    def revoked(self) -> "Key":
        """The last version of the key, which no change made at the same time can replace."""
        if self.revoked_ms:
            return self
        return msgspec.structs.replace(self, revoked_ms=now_ms(), version=FINAL_VERSION)

    def valid_at(self, now_ms: float) -> bool:
        """Whether the key is neither revoked nor expired then."""
        return not self.revoked_ms and (not self.expires_ms or now_ms < self.expires_ms)

    def state_at(self, now_ms: float) -> str:
        """`valid`, `expired` or `revoked`."""
        return "revoked" if self.revoked_ms else "valid" if self.valid_at(now_ms) else "expired"

    @property
    def principal(self) -> Principal:
        """Who uses the key."""
        return Principal(
            self.id, self.name, frozenset(self.scopes), self.workspace_id, self.client_id
        )


def new_token() -> tuple[str, str]:
    """A new key, which is a secret of 192 random bits, and its id."""
    key_id = secrets.token_hex(_ID_BYTES)
    return f"{_PREFIX}_{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}", key_id


def hashed(token: str, secret: bytes) -> str:
    """The keyed hash of a key (BLAKE2b)."""
    return hashlib.blake2b(token.encode(), key=secret, digest_size=32).hexdigest()


def now_ms() -> int:
    """Now, in Unix milliseconds."""
    return time.time_ns() // NS_PER_MS
