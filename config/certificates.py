"""The server's certificate: read from files, and read again when they change."""

import ssl
import threading
import time
from pathlib import Path

import structlog

from config.settings import Settings

log = structlog.get_logger(__name__)

_LOOK_SECONDS = 1.0

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

Stamp = tuple[tuple[int, int, int], ...]
"""Of each file: when it was modified, its inode, its size."""


class CertificateError(Exception):
    """The certificate or its key cannot be used; the text says why."""


class CertificateFiles:
    """The files that `TLS_CERT`, `TLS_KEY` and `TLS_CLIENT_CA` name."""

    def __init__(self, settings: Settings) -> None:
        """Look at the files of `settings`."""
        self.certificate = Path(settings.tls_cert)
        self.key = Path(settings.tls_key)
        self.client_ca = Path(settings.tls_client_ca) if settings.tls_client_ca else None
        self._minimum = _VERSIONS[settings.tls_min_version]

    def stamp(self) -> Stamp:
        """What changes with the files.

        Raises:
            OSError: one of them is missing.
        """
        files = [self.certificate, self.key, *([self.client_ca] if self.client_ca else [])]
        stats = [file.stat() for file in files]
        return tuple((stat.st_mtime_ns, stat.st_ino, stat.st_size) for stat in stats)

    def context(self) -> ssl.SSLContext:
        """A server's context with what the files have now.

        Raises:
            CertificateError: they cannot be used.
        """
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.minimum_version = self._minimum
        made.set_alpn_protocols(["http/1.1"])
        try:
            made.load_cert_chain(self.certificate, self.key)
            if self.client_ca:
                made.load_verify_locations(self.client_ca)
                made.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ssl.SSLError) as error:
            raise CertificateError(f"TLS_CERT={self.certificate}: {error}") from error
        return made


class FreshContext:
    """A server's TLS context that follows its files; any thread may use it."""

    def __init__(self, files: CertificateFiles) -> None:
        """Read the files.

        Raises:
            CertificateError: they cannot be used.
        """
        self._files = files
        self._context = files.context()
        self._stamp = files.stamp()
        self._look_due = time.monotonic() + _LOOK_SECONDS
        self._lock = threading.Lock()

    def get(self) -> ssl.SSLContext:
        """The context for a new connection; files that cannot be used change nothing."""
        if time.monotonic() >= self._look_due:
            with self._lock:
                self._look_due = time.monotonic() + _LOOK_SECONDS
                self._look()
        return self._context

    def _look(self) -> None:
        try:
            stamp = self._files.stamp()
            if stamp != self._stamp:
                # A key that does not fit its certificate yet is read again with the next change.
                self._context = self._files.context()
                self._stamp = stamp
                log.info("tls: certificate read again")
        except (OSError, CertificateError) as error:
            log.warning("tls: the certificate cannot be read again", error=str(error))
