"""The doors refuse who may not send, before anything is read."""

import base64
import json
from collections import Counter

import grpc
import pytest
import trustme
from celery import Celery
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from access.key import now_ms
from access.store import Grant, KeyStore
from ingest.commit.receive import Receiver
from ingest.convert.services import SERVICES
from ingest.doors.http.app import create_app
from tests.integration.ingest.grpc_door import EXPORT, GrpcDoor
from tests.integration.made_logs import payload

pytestmark = pytest.mark.integration

OPEN = {"/health", "/ready"}


@pytest.fixture
def settings(stores, clickhouse, free_port, tmp_path):
    clickhouse.query("TRUNCATE TABLE shared")
    return stores(
        auth="keys",
        secret_key="s" * 32,
        data_dir=tmp_path,
        otel_grpc_port=free_port(),
        listen_host="127.0.0.1",
    )


@pytest.fixture
def keys(settings, ledger, clickhouse):
    """Keys by what they may do."""
    store = KeyStore(settings, ledger.broker, clickhouse)
    grants = {
        "ingest": Grant(("ingest",)),
        "read": Grant(("read",)),
        "acme": Grant(("ingest",), workspace_id="acme"),
        "acme/web": Grant(("ingest",), workspace_id="acme", client_id="web"),
        "read of acme": Grant(("read",), workspace_id="acme"),
        "expired": Grant(("ingest",), expires_ms=now_ms() - 1),
        "revoked": Grant(("ingest",)),
    }
    made = {name: store.create(grant, "tests") for name, grant in grants.items()}
    store.revoke(made["revoked"][1])
    return {name: token for name, (token, _) in made.items()}


@pytest.fixture
def http_door(settings, keys):
    """A client of the HTTP door."""
    assert keys
    receiver = Receiver(settings, Celery("door", broker=settings.broker_url))
    receiver.start()
    app = create_app(settings, receiver)

    def ask(path, data=b"", key="", method="POST", **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if key:
            named["Authorization"] = f"Bearer {key}"
        return app.test_client().open(path, method=method, data=data, headers=named)

    ask.app = app
    yield ask
    receiver.stop()


@pytest.fixture
def grpc_door(settings, keys):
    assert keys
    door = GrpcDoor(settings)
    yield door
    door.stop()


def routes(app):
    return [
        (rule.rule.replace("<receipt>", "1"), method)
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.rule not in OPEN
    ]


@pytest.mark.parametrize("kind", ["no key", "garbage", "expired", "revoked"])
def test_every_http_endpoint_refuses_who_has_no_valid_key(http_door, keys, kind):
    key = {"no key": "", "garbage": "sheaf_abc_def"}.get(kind) or keys.get(kind, "")
    asked = routes(http_door.app)
    assert len(asked) >= 8
    for path, method in asked:
        answer = http_door(path, b"not read", key, method)
        assert answer.status_code == 401, (path, answer.text)
        assert "Bearer" in answer.headers["WWW-Authenticate"]


def test_every_http_endpoint_refuses_a_key_with_another_scope(http_door, keys):
    for path, method in routes(http_door.app):
        key = keys["ingest" if path == "/metrics" else "read"]
        answer = http_door(path, b"not read", key, method)
        assert answer.status_code == 403, (path, answer.text)
        assert "needs the scope" in answer.text


def test_every_http_endpoint_refuses_a_key_of_another_workspace_or_client(http_door, keys):
    for path, method in routes(http_door.app):
        if path == "/metrics":
            answer = http_door(path, b"", keys["read of acme"], method)
            assert answer.status_code == 403
            continue
        for key, headers in (
            ("acme", {"x_workspace_id": "other"}),
            ("acme/web", {"x_client_id": "other"}),
        ):
            answer = http_door(path, b"not read", keys[key], method, **headers)
            assert answer.status_code == 403, (path, answer.text)


def test_probes_need_no_key(http_door):
    for path in OPEN:
        assert http_door(path, method="GET").status_code == 200


def test_an_otlp_refusal_is_a_status_in_the_encoding_of_the_request(http_door):
    answer = http_door("/v1/logs", payload(["a"]), Content_Type="application/x-protobuf")
    status = status_pb2.Status.FromString(answer.data)
    assert (answer.status_code, status.code) == (401, grpc.StatusCode.UNAUTHENTICATED.value[0])


def test_a_key_is_taken_as_bearer_and_as_basic_password(http_door, keys):
    encoded = base64.b64encode(f"anything:{keys['ingest']}".encode()).decode()
    for header in (f"Bearer {keys['ingest']}", f"Basic {encoded}"):
        answer = http_door(
            "/v1/logs", payload(["a"]), Authorization=header, Content_Type="application/x-protobuf"
        )
        assert answer.status_code == 200


def test_a_bound_key_names_the_workspace_and_other_resources_are_refused_alone(
    http_door, keys, stored, clickhouse
):
    records = [
        {"message": "one"},
        {"message": "two", "workspace_id": "acme", "client_id": "app"},
        {"message": "three", "workspace_id": "other"},
    ]
    answer = http_door(
        "/api/v1/ingest",
        key=keys["acme"],
        Content_Type="application/json",
        data=json.dumps(records),
    )
    assert answer.status_code == 202
    [error] = answer.get_json()["errors"]
    assert (error["index"], error["field"]) == (2, "workspace_id")

    assert stored() == Counter(["one", "two"])
    rows = clickhouse.query("SELECT Body, WorkspaceId, ClientId FROM otel_logs ORDER BY Body")
    assert rows == [("one", "acme", "default"), ("two", "acme", "app")]


# gRPC.


def call(door, method, content=b"", key="", **metadata):
    named = tuple((name.replace("_", "-"), value) for name, value in metadata.items())
    if key:
        named += (("authorization", f"Bearer {key}"),)
    return door.channel.unary_unary(method)(content, metadata=named, timeout=20)


@pytest.mark.parametrize("kind", ["no key", "garbage", "expired", "revoked"])
def test_every_grpc_method_refuses_who_has_no_valid_key(grpc_door, keys, kind):
    key = {"no key": "", "garbage": "sheaf_abc_def"}.get(kind) or keys.get(kind, "")
    methods = [f"/{service.name}/Export" for service in SERVICES]
    for method in methods:
        with pytest.raises(grpc.RpcError) as refused:
            call(grpc_door, method, b"not read", key)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_reflection_needs_a_key_and_names_no_method_that_was_not_tried(grpc_door, keys):
    stub = reflection_pb2_grpc.ServerReflectionStub(grpc_door.channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    for key in ("", "sheaf_abc_def", keys["expired"], keys["revoked"]):
        metadata = (("authorization", f"Bearer {key}"),) if key else ()
        with pytest.raises(grpc.RpcError) as refused:
            list(stub.ServerReflectionInfo(iter([request]), metadata=metadata, timeout=20))
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED

    metadata = (("authorization", f"Bearer {keys['read']}"),)
    [answer] = stub.ServerReflectionInfo(iter([request]), metadata=metadata, timeout=20)
    services = {service.name for service in answer.list_services_response.service}
    assert services == {
        *(service.name for service in SERVICES),
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


def test_health_needs_no_key(grpc_door):
    grpc_door.health.set("", health_pb2.HealthCheckResponse.SERVING)
    answer = health_pb2_grpc.HealthStub(grpc_door.channel).Check(
        health_pb2.HealthCheckRequest(), timeout=20
    )
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize(
    ("key", "metadata"),
    [
        ("read", {}),
        ("acme", {"x_workspace_id": "other"}),
        ("acme/web", {"x_client_id": "other"}),
    ],
)
def test_grpc_refuses_what_a_key_is_not_for(grpc_door, keys, key, metadata):
    for service in SERVICES:
        with pytest.raises(grpc.RpcError) as refused:
            call(grpc_door, f"/{service.name}/Export", b"not read", keys[key], **metadata)
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED


def test_a_grpc_refusal_names_the_field(grpc_door, keys):
    with pytest.raises(grpc.RpcError) as refused:
        call(grpc_door, EXPORT, payload(["a"]), keys["acme"], x_workspace_id="other")
    trailers = dict(refused.value.trailing_metadata())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    detail = error_details_pb2.BadRequest()
    assert status.details[0].Unpack(detail)
    assert detail.field_violations[0].field == "x-workspace-id"


def test_a_valid_key_is_taken_until_it_is_revoked(
    grpc_door, keys, settings, ledger, clickhouse, wait_until
):
    assert keys
    store = KeyStore(settings, ledger.broker, clickhouse)
    token, key = store.create(Grant(("ingest",), workspace_id="acme"), "tests")

    refusals = []

    def is_taken():
        try:
            call(grpc_door, EXPORT, payload(["a"]), token)
        except grpc.RpcError as error:
            refusals.append(error.code())
            return False
        return True

    wait_until(is_taken)
    store.revoke(key)
    wait_until(lambda: not is_taken())
    assert set(refusals) == {grpc.StatusCode.UNAUTHENTICATED}


def test_around_the_broker_known_keys_go_on_and_unknown_ones_are_to_come_again(
    settings, keys, broker_gate, clickhouse
):
    """The way around the broker stays open."""
    broker_gate.break_all("refuse")
    broker_gate.disconnect()
    away = settings.model_copy(
        update={"redis_url": f"redis://127.0.0.1:{broker_gate.port}/0", "broker_timeout": 0.5}
    )
    door = GrpcDoor(away)
    try:
        call(door, EXPORT, payload(["direct"]), keys["acme"])
        with pytest.raises(grpc.RpcError) as refused:
            call(door, EXPORT, payload(["no"]), "sheaf_unknown_key")
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        with pytest.raises(grpc.RpcError) as refused:
            call(door, EXPORT, payload(["no"]), keys["revoked"])
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    finally:
        door.stop()
    assert clickhouse.query("SELECT Body, WorkspaceId FROM otel_logs") == [("direct", "acme")]


# TLS.


@pytest.fixture
def certificate(tmp_path):
    """Write the door's certificate and key anew; returns the authority's."""

    def write():
        authority = trustme.CA()
        made = authority.issue_cert("127.0.0.1")
        made.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
        made.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
        return authority.cert_pem.bytes()

    return write


def test_the_grpc_door_speaks_tls_and_follows_its_files(
    settings, keys, certificate, tmp_path, wait_until
):
    first = certificate()
    names = {"tls_cert": str(tmp_path / "cert.pem"), "tls_key": str(tmp_path / "key.pem")}
    door = GrpcDoor(settings.model_copy(update=names), grpc.ssl_channel_credentials(first))
    try:
        call(door, EXPORT, payload(["over TLS"]), keys["acme"])
        renewed = grpc.ssl_channel_credentials(certificate())

        def is_renewed():
            with door.connect(renewed) as channel:
                try:
                    grpc.channel_ready_future(channel).result(timeout=1)
                except grpc.FutureTimeoutError:
                    return False
            return True

        wait_until(is_renewed)
        call(door, EXPORT, payload(["on the old connection"]), keys["acme"])
    finally:
        door.stop()


def test_with_a_client_ca_the_grpc_door_answers_only_its_clients(
    settings, keys, certificate, tmp_path
):
    server = certificate()
    clients = trustme.CA()
    clients.cert_pem.write_to_path(str(tmp_path / "clients.pem"))
    made = clients.issue_cert("client@example.com")
    pair = (made.private_key_pem.bytes(), made.cert_chain_pems[0].bytes())
    names = {"tls_cert": "cert.pem", "tls_key": "key.pem", "tls_client_ca": "clients.pem"}
    files = {name: str(tmp_path / file) for name, file in names.items()}
    door = GrpcDoor(settings.model_copy(update=files), grpc.ssl_channel_credentials(server, *pair))
    try:
        call(door, EXPORT, payload(["with a certificate"]), keys["acme"])
        with door.connect(grpc.ssl_channel_credentials(server)) as stranger:
            metadata = (("authorization", f"Bearer {keys['acme']}"),)
            with pytest.raises(grpc.RpcError) as refused:
                stranger.unary_unary(EXPORT)(b"", metadata=metadata, timeout=20)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    finally:
        door.stop()
