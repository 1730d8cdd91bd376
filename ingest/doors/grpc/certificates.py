"""The gRPC door's certificate, read again when its files change."""

import grpc
import structlog

from config.certificates import CertificateError, CertificateFiles, Stamp

log = structlog.get_logger(__name__)


def credentials(files: CertificateFiles) -> grpc.ServerCredentials:
    """Credentials that follow the files; each new connection is served with what they have then.

    Raises:
        CertificateError: they cannot be used.
        OSError: one of them is missing.
    """
    files.context()
    held = [files.stamp()]

    def newer() -> grpc.ServerCertificateConfiguration | None:
        try:
            return _read(files, held)
        except (OSError, CertificateError) as error:
            log.warning("tls: the certificate cannot be read again", error=str(error))
            return None

    return grpc.dynamic_ssl_server_credentials(
        _configuration(files), newer, require_client_authentication=files.client_ca is not None
    )


def _read(files: CertificateFiles, held: list[Stamp]) -> grpc.ServerCertificateConfiguration | None:
    stamp = files.stamp()
    if stamp == held[0]:
        return None
    # Refuses a key that does not fit its certificate yet.
    files.context()
    held[0] = stamp
    log.info("tls: certificate read again")
    return _configuration(files)


def _configuration(files: CertificateFiles) -> grpc.ServerCertificateConfiguration:
    pair = (files.key.read_bytes(), files.certificate.read_bytes())
    roots = files.client_ca.read_bytes() if files.client_ca else None
    return grpc.ssl_server_certificate_configuration([pair], root_certificates=roots)
