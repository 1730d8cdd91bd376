"""The doors in the API's documentation, and hints for requests to the wrong port."""

from typing import Any

from config.settings import Settings
from serving.doors import DOORS, JSON, Door


def description(settings: Settings, host: str) -> dict[str, Any]:
    """An OpenAPI description of the HTTP door, for clients that reach it at `host`."""
    paths: dict[str, dict[str, Any]] = {}
    for door in DOORS:
        path = door.path.replace("{prefix}", settings.api_v1_prefix)
        paths.setdefault(path, {})[door.method.lower()] = _operation(door)
    return {
        "openapi": "3.0.3",
        "info": {"title": "Sheaf's HTTP door", "version": "v1"},
        "servers": [{"url": addresses(settings, host)["http"]}],
        "tags": [{"name": "door", "description": "Sending records over HTTP"}],
        "paths": paths,
    }


def addresses(settings: Settings, host: str) -> dict[str, str]:
    """The addresses of the doors, for clients that reach this machine at `host`."""
    shown = f"[{host}]" if ":" in host else host
    return {
        "http": f"{settings.scheme}://{shown}:{settings.otel_http_port}",
        "grpc": f"{settings.scheme}://{shown}:{settings.otel_grpc_port}",
    }


def _operation(door: Door) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "tags": ["door"],
        "summary": door.summary,
        "responses": {str(status): {"description": text} for status, text in door.answers},
    }
    if door.description:
        operation["description"] = door.description
    if "{receipt}" in door.path:
        operation["parameters"] = [
            {"in": "path", "name": "receipt", "required": True, "schema": {"type": "string"}}
        ]
    if door.takes:
        content = {kind: _body(kind, door.example) for kind in door.takes}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _body(kind: str, example: object) -> dict[str, Any]:
    if kind != JSON:
        return {"schema": {"type": "string", "format": "binary"}}
    schema = {"oneOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]}
    return {"schema": schema} | ({} if example is None else {"example": example})


def where_to_send(settings: Settings, method: str, path: str, host: str) -> str:
    """A hint for a request to the API that was meant for a door; empty if it was not.

    Args:
        settings: the ports and the prefix.
        method: its HTTP method.
        path: its path.
        host: the name by which its client reaches this machine.
    """
    door = addresses(settings, host)["http"]
    if any(_is_at(each, settings.api_v1_prefix, path) for each in DOORS):
        return (
            "This port serves the query API. Send this request to OTEL_HTTP_PORT: "
            f"{method} {door}{path}"
        )
    if method in {"POST", "PUT"}:
        return (
            "This port does not accept records. Send them to OTEL_HTTP_PORT: "
            f"POST {door}{settings.api_v1_prefix}/ingest (JSON) or {door}/v1/logs (OTLP)"
        )
    return ""


def _is_at(door: Door, prefix: str, path: str) -> bool:
    known = door.path.replace("{prefix}", prefix)
    head, parameter, _ = known.partition("{receipt}")
    return path.startswith(head) if parameter else path == known
