from pathlib import Path

import pytest
import trustme

from config import certificates
from config.certificates import CertificateError, CertificateFiles, FreshContext
from config.settings import Settings


@pytest.fixture
def settings(tmp_path):
    return Settings(tls_cert=str(tmp_path / "cert.pem"), tls_key=str(tmp_path / "key.pem"))


def write(settings):
    made = trustme.CA().issue_cert("localhost")
    made.private_key_pem.write_to_path(settings.tls_key)
    made.cert_chain_pems[0].write_to_path(settings.tls_cert)


def test_a_changed_certificate_makes_a_new_context_and_a_broken_one_changes_nothing(
    settings, monkeypatch
):
    monkeypatch.setattr(certificates, "_LOOK_SECONDS", 0)
    write(settings)
    fresh = FreshContext(CertificateFiles(settings))
    first = fresh.get()
    assert fresh.get() is first

    write(settings)
    second = fresh.get()
    assert second is not first

    Path(settings.tls_cert).write_text("no certificate", encoding="ascii")
    assert fresh.get() is second
    Path(settings.tls_cert).unlink()
    assert fresh.get() is second
    write(settings)
    assert fresh.get() not in {first, second}


def test_without_a_usable_certificate_the_error_names_the_setting(settings):
    with pytest.raises(CertificateError, match=r"TLS_CERT=.*cert\.pem"):
        FreshContext(CertificateFiles(settings))


def test_certificate_and_key_belong_together(tmp_path):
    with pytest.raises(ValueError, match="TLS_CERT and TLS_KEY belong together"):
        Settings(tls_cert=str(tmp_path))
