from concurrent import futures

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from cli.ready import broker_answers, clickhouse_answers, grpc_serves, http_answers, port_open
from config.settings import Settings


@pytest.fixture
def health_service(free_port):
    server = grpc.server(futures.ThreadPoolExecutor(1))
    servicer = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = free_port()
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    yield servicer, port
    server.stop(0).wait()


def test_a_grpc_server_serves_when_its_health_service_says_so(health_service):
    servicer, port = health_service
    assert grpc_serves(Settings(), f"127.0.0.1:{port}")

    servicer.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    assert not grpc_serves(Settings(), f"127.0.0.1:{port}")


def test_nothing_answers_on_a_free_port(free_port):
    port = free_port()
    assert not port_open("127.0.0.1", port)
    assert not grpc_serves(Settings(), f"127.0.0.1:{port}")
    assert not http_answers(f"127.0.0.1:{port}", "/ready")
    assert not broker_answers(f"redis://127.0.0.1:{port}/0")

    settings = Settings(clickhouse_port=port, clickhouse_http_port=free_port())
    assert not clickhouse_answers(settings)
