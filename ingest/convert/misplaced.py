"""JSON sent to the wrong path: OTLP ignores unknown fields, so it would be lost silently."""

from collections.abc import Mapping
from typing import Any

from ingest.convert import mended_json
from ingest.convert.mended_json import Broken
from ingest.convert.services import SERVICES, Service
from ingest.status import RefusedError, invalid


def check(service: Service, payload: bytes, prefix: str) -> None:
    """Check an OTLP/JSON request without any records.

    Args:
        service: the service that it was sent to.
        payload: its JSON text.
        prefix: path prefix of the REST API.

    Raises:
        RefusedError: it has members, but none of the service.
    """
    request = mended_json.read(payload)
    if isinstance(request, Broken) or not isinstance(request, dict):
        return
    if request and not _names(service).intersection(request):
        name = _json_name(service)
        raise invalid(f"the request has no {name}{_right_path(request, prefix)}", name)


def otlp_in(fields: Mapping[str, Any]) -> RefusedError | None:
    """The refusal of a JSON record that is really an OTLP request."""
    if _ALL_NAMES.isdisjoint(fields):
        return None
    service = next(each for each in SERVICES if not _names(each).isdisjoint(fields))
    name = next(iter(_names(service).intersection(fields)))
    return invalid(f"{name} is OTLP: send it to {service.path}", name)


def _right_path(request: Mapping[str, Any], prefix: str) -> str:
    for service in SERVICES:
        if found := _names(service).intersection(request):
            return f"; send {next(iter(found))} to {service.path}"
    return f"; send plain JSON records to {prefix}/ingest"


def _json_name(service: Service) -> str:
    field = service.request.DESCRIPTOR.fields_by_name[service.resources]
    return str(field.json_name)


def _names(service: Service) -> set[str]:
    return {service.resources, _json_name(service)}


_ALL_NAMES = frozenset(name for service in SERVICES for name in _names(service))
