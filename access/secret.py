"""The secret of an installation: it keys the hashes of keys and signs sessions."""

import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path

from config.settings import Settings

_FILE = "secret"
_BYTES = 32


def installation_secret(settings: Settings) -> bytes:
    """32 bytes from `SECRET_KEY`, else from a file in `DATA_DIR` that is made at the first call.

    Raises:
        OSError: the file can neither be read nor made.
    """
    text = settings.secret_key or _from_file(settings.data_dir / _FILE)
    return hashlib.sha256(text.encode()).digest()


def redaction_secret(settings: Settings) -> bytes:
    """What keys the hashes that redaction puts in the place of texts. Raises as above."""
    return hashlib.sha256(b"redaction\0" + installation_secret(settings)).digest()


def secret_fingerprint(settings: Settings) -> str:
    """Tells whether two secrets are the same, and nothing more of them. Raises as above."""
    return hashlib.sha256(b"fingerprint\0" + installation_secret(settings)).hexdigest()


def _from_file(path: Path) -> str:
    with suppress(FileNotFoundError):
        return _read(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f".{_FILE}.{secrets.token_hex(8)}")
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(_BYTES))
    # Another process may make one at the same moment; the first holds for both.
    with suppress(FileExistsError):
        os.link(made, path)
    made.unlink()
    return _read(path)


def _read(path: Path) -> str:
    """The secret in a file. A truncated file is refused: its content could be guessed."""
    text = path.read_text(encoding="ascii")
    if len(text) != 2 * _BYTES:
        raise OSError(
            f"{path} does not hold {2 * _BYTES} characters: restore it, or set SECRET_KEY"
        )
    return text
