"""OTLP requests made of real log lines; no two are equal."""

import itertools
import random
import time
from pathlib import Path

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

_LINES = Path(__file__).resolve().parents[2] / "shared" / "data" / "loghub"


def lines() -> list[str]:
    """Lines of the Loghub samples if they are available, else generated ones."""
    found = [
        line
        for path in sorted(_LINES.glob("*.log"))
        for line in path.read_bytes().decode("utf-8", "replace").splitlines()
        if line
    ]
    return found or [
        f"request {n} of user {n * 7919 % 1013} took {n % 977} ms and ended well"
        for n in range(5000)
    ]


def make(
    count: int, records: int, tenants: int = 1, seed: int = 0, *, scattered: bool = False
) -> list[bytes]:
    """`count` requests of `records` records: 8 resource and 6 log attributes each.

    With `scattered`, ids and values are random, and so is the order of the lines: they compress as
    little as those of real services.
    """
    dice = random.Random(seed)  # noqa: S311 - no secret
    known = lines()
    if scattered:
        dice.shuffle(known)
    source = itertools.cycle(known)
    start = time.time_ns()
    made = []
    for number in range(count):
        request = ExportLogsServiceRequest()
        group = request.resource_logs.add()
        tenant = number % tenants
        service = f"service-{number % 20}"
        for key, value in (
            ("service.name", service),
            ("service.version", "1.4.2"),
            ("service.instance.id", f"{service}-{number % 5}"),
            ("host.name", f"host-{number % 50}"),
            ("k8s.namespace.name", "shop"),
            ("k8s.pod.name", f"{service}-7d9f-{number % 50}"),
            ("telemetry.sdk.language", "python"),
            ("workspace_id", f"workspace-{tenant}"),
        ):
            group.resource.attributes.add(key=key).value.string_value = value
        scope = group.scope_logs.add()
        scope.scope.name = "bench"
        for index in range(records):
            record = scope.log_records.add()
            unique = (seed * count + number) * records + index
            value = dice.getrandbits(128) if scattered else unique
            record.time_unix_nano = start + unique
            record.observed_time_unix_nano = start + unique
            record.severity_number = (5, 9, 9, 9, 13, 17)[index % 6]  # type: ignore[assignment]
            record.severity_text = ("DEBUG", "INFO", "INFO", "INFO", "WARN", "ERROR")[index % 6]
            record.body.string_value = next(source)
            record.trace_id = value.to_bytes(16, "big")
            record.span_id = (value & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "big")
            attributes = record.attributes
            attributes.add(key="http.request.method").value.string_value = "GET"
            attributes.add(key="http.route").value.string_value = f"/api/v1/resource{index % 20}"
            attributes.add(key="http.response.status_code").value.int_value = 200 + index % 5
            attributes.add(key="duration_ms").value.double_value = (value % 977) / 10
            attributes.add(key="user.id").value.string_value = f"user-{value % 1013}"
            attributes.add(key="record.id").value.string_value = f"{value % 10**12:012d}"
        made.append(request.SerializeToString())
    return made


def later(body: bytes, seconds: int) -> bytes:
    """The same request with all times shifted."""
    request = ExportLogsServiceRequest.FromString(body)
    for group in request.resource_logs:
        for scope in group.scope_logs:
            for record in scope.log_records:
                record.time_unix_nano += seconds * 10**9
                record.observed_time_unix_nano += seconds * 10**9
    return request.SerializeToString()
