"""A broker that cannot be used ends each process at its start, with a sentence."""

import os
import subprocess
import sys
from contextlib import contextmanager

import pytest
import redis
import trustme
from celery import Celery
from kombu.exceptions import OperationalError

from cli.ready import port_open
from config.settings import Settings
from embedded.valkey import find_binary
from ledger.ledger import BrokerAwayError, Ledger
from ledger.usable import BrokerUnusableError, check_usable
from tests.blocks import ROOT, checked_by

pytestmark = pytest.mark.integration

_CELERY = ("-m", "celery", "--quiet", "-A", "tasks.app")
PROCESSES = {
    "grpc": ("-m", "ingest.doors.grpc.server"),
    "http": ("-m", "ingest.doors.http.app"),
    "api": ("-m", "web"),
    "flower": ("-m", "serving.flower"),
    "worker": (*_CELERY, "worker", "--pool", "threads"),
    "beat": (*_CELERY, "beat", "--pidfile="),
}


def documented_rules():
    """The words of the documented `ACL SETUSER`, after the user's name."""
    [block] = checked_by("test_the_documented_rights_are_enough")
    command = block.text.replace("\\\n", " ")
    return command.removeprefix("ACL SETUSER sheaf ").split()


@contextmanager
def broker(folder, port, wait_until, *options):
    command = [find_binary(), "--port", port, "--bind", "127.0.0.1", "--save", "", *options]
    with subprocess.Popen([*map(str, command)], cwd=folder, stdout=subprocess.DEVNULL) as process:
        with redis.Redis(port=port) as client:
            wait_until(lambda: answers(client))
            yield client
        process.kill()


def answers(client):
    try:
        return client.ping()
    except redis.RedisError:
        return False


@pytest.fixture(scope="module")
def client(tmp_path_factory, free_port, wait_until):
    with broker(tmp_path_factory.mktemp("broker"), free_port(), wait_until) as made:
        yield made


def as_user(client, rules):
    """Settings that use the broker as a user with these rules."""
    client.execute_command("ACL", "SETUSER", "sheaf", "reset", "on", ">its-secret", *rules)
    port = client.get_connection_kwargs()["port"]
    return Settings(redis_url=f"redis://sheaf:its-secret@127.0.0.1:{port}/0")


def rules_but(*left_out):
    rules = [rule for rule in documented_rules() if rule not in {"on", *left_out}]
    return [rule for rule in rules if not rule.startswith(">")]


def test_the_documented_rights_are_enough(client):
    check_usable(as_user(client, rules_but()))


@pytest.mark.parametrize(
    "rule",
    [rule for rule in rules_but() if rule[0] in "~&" or rule in {"+@all", "+info"}],
)
def test_without_one_of_the_documented_rights_a_sentence_says_which(client, rule):
    with pytest.raises(BrokerUnusableError, match=r"does not allow its user .*rights\.md"):
        check_usable(as_user(client, rules_but(rule)))


def test_a_broker_that_is_away_may_come_back(free_port):
    check_usable(Settings(redis_url=f"redis://127.0.0.1:{free_port()}/0"))


def test_a_wrong_password_is_refused_with_a_sentence(client):
    settings = as_user(client, rules_but())
    wrong = settings.model_copy(update={"redis_url": settings.redis_url.replace("its", "no")})
    with pytest.raises(BrokerUnusableError, match="refused us"):
        check_usable(wrong)


def test_a_redis_cluster_is_refused_with_a_sentence(tmp_path, free_port, wait_until):
    port = free_port()
    # Its own port for the other nodes would be 10,000 more, which another test may have.
    options = ("--cluster-enabled", "yes", "--cluster-port", free_port())
    with broker(tmp_path, port, wait_until, *options):
        settings = Settings(redis_url=f"redis://127.0.0.1:{port}/0")
        with pytest.raises(BrokerUnusableError, match="Redis Cluster"):
            check_usable(settings)


@pytest.mark.parametrize("name", PROCESSES)
def test_each_process_ends_with_the_sentence(client, free_port, name, tmp_path):
    settings = as_user(client, rules_but("~*.celery.pidbox*"))
    environment = os.environ | {
        "REDIS_URL": settings.redis_url,
        "DATA_DIR": str(tmp_path),
        **{
            f"{port}_PORT": str(free_port()) for port in ("OTEL_GRPC", "OTEL_HTTP", "API", "FLOWER")
        },
    }
    ended = subprocess.run(
        [sys.executable, *PROCESSES[name]],
        check=False,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 1
    assert "does not allow its user the key" in ended.stderr + ended.stdout
    assert "Traceback" not in ended.stderr + ended.stdout


_TLS = """defaults
    mode tcp
    timeout connect 2s
    timeout client 1h
    timeout server 1h
frontend tls
    bind 127.0.0.1:{port} ssl crt {certificate}
    default_backend broker
backend broker
    server broker 127.0.0.1:{broker}
"""


@pytest.fixture
def tls(client, tmp_path, free_port, require, wait_until):
    """TLS in front of the broker: its port, and the file of the authority that signed for it."""
    authority, port = trustme.CA(), free_port()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    certificate = tmp_path / "certificate.pem"
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(str(certificate))
    behind = client.get_connection_kwargs()["port"]
    text = _TLS.format(port=port, certificate=certificate, broker=behind)
    (tmp_path / "haproxy.cfg").write_text(text)
    command = [require("haproxy"), "-db", "-f", str(tmp_path / "haproxy.cfg")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: port_open("127.0.0.1", port))
        yield port, tmp_path / "ca.pem"
        process.kill()


def test_tls_to_the_broker_works_for_the_ledger_and_for_celery(tls):
    port, authority = tls
    settings = Settings(redis_url=f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={authority}")
    check_usable(settings)
    ledger = Ledger(settings)
    ledger.ping()
    ledger.close()
    with Celery("tls", broker=settings.broker_url) as app, app.connection_for_write() as broker:
        assert broker.default_channel.client.ping()


def test_a_certificate_of_another_authority_is_not_accepted(tls, tmp_path):
    port, _ = tls
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    url = f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={tmp_path / 'other.pem'}"
    ledger = Ledger(Settings(redis_url=url))
    with pytest.raises(BrokerAwayError, match="CERTIFICATE_VERIFY_FAILED"):
        ledger.ping()
    ledger.close()
    with (
        Celery("tls", broker=url) as app,
        app.connection_for_write() as broker,
        pytest.raises(OperationalError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        broker.default_channel.client.ping()
