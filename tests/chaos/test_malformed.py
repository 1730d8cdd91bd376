"""A thousand malformed inputs at each door, while other clients send as usual."""

import http.client
import random
from collections import Counter
from contextlib import suppress

import grpc
import pytest

from tests.chaos.load import Shape
from tests.chaos.malformed import Malformed
from tests.chaos.signals import SIGNALS

pytestmark = pytest.mark.chaos

_MOST_GROWTH = 500 * 1024 * 1024
_GRPC_ANSWERS = {
    "OK",
    grpc.StatusCode.INVALID_ARGUMENT.name,
    grpc.StatusCode.RESOURCE_EXHAUSTED.name,
    grpc.StatusCode.UNAVAILABLE.name,
}
_HTTP_ANSWERS = {200, 202, 400, 404, 405, 413, 415, 422, 429, 503}


@pytest.fixture
def inputs(long_run):
    return 1000 if long_run else 200


def test_the_grpc_door_answers_malformed_requests_as_documented(scenario, seed, inputs):
    door = scenario.system.processes["grpc"]
    before = door.rss
    malformed = Malformed(random.Random(f"{seed} grpc"))
    answers = Counter()
    with (
        scenario.under_load(Shape(records=5), pause=0.02, deadline=10.0),
        grpc.insecure_channel(f"127.0.0.1:{scenario.system.grpc_port}") as channel,
    ):
        exports = [channel.unary_unary(signal.export) for signal in SIGNALS.values()]
        for number in range(inputs):
            export = exports[number % len(exports)]
            compression = grpc.Compression.Gzip if number % 4 == 0 else None
            answer = _ask(export, malformed.payload(), compression)
            answers[answer] += 1

    scenario.report(f"chaos malformed at the gRPC door: {dict(answers)}")
    assert set(answers) <= _GRPC_ANSWERS
    assert answers["INVALID_ARGUMENT"] > inputs / 10
    _check_neighbours(scenario, door, before)


def test_the_http_door_answers_malformed_requests_as_documented(scenario, seed, inputs):
    door = scenario.system.processes["http"]
    before = door.rss
    malformed = Malformed(random.Random(f"{seed} http"))
    answers = Counter()
    with scenario.under_load(Shape(records=5), pause=0.02, deadline=10.0):
        for _ in range(inputs):
            path, headers, body = malformed.http()
            answer = _post(scenario.system.http_port, path, headers, body)
            answers[answer] += 1

    scenario.report(f"chaos malformed at the HTTP door: {dict(answers)}")
    assert set(answers) <= _HTTP_ANSWERS
    assert answers[400] > inputs / 10
    _check_neighbours(scenario, door, before)


def _ask(export, payload, compression):
    try:
        export(payload, timeout=30, compression=compression)
    except grpc.RpcError as error:
        return error.code().name
    return "OK"


def _post(port, path, headers, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


def _check_neighbours(scenario, door, before):
    assert door.rss - before < _MOST_GROWTH
    scenario.check()
    assert all(request.acknowledged for request in scenario.load.requests)
