"""Whose records these are: workspace and client."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ingest.status import invalid

_VALID = re.compile(r"[A-Za-z0-9._:-]{1,128}")

WORKSPACE_HEADER = "x-workspace-id"
CLIENT_HEADER = "x-client-id"

_WORKSPACE_KEYS = frozenset({"workspace_id", "workspace.id"})
_CLIENT_KEYS = frozenset({"client_id", "client.id"})


class Tenant(NamedTuple):
    """A workspace, and a client within it."""

    workspace_id: str = "default"
    client_id: str = "default"


_DEFAULT = Tenant()


def from_headers(headers: Mapping[str, str]) -> Tenant:
    """The tenant that headers or gRPC metadata name; `default` where they are silent.

    Raises:
        RefusedError: a name has characters or a length that a tenant's name may not have.
    """
    workspace = headers.get(WORKSPACE_HEADER)
    client = headers.get(CLIENT_HEADER)
    if not workspace and not client:
        return _DEFAULT
    workspace, client = workspace or _DEFAULT.workspace_id, client or _DEFAULT.client_id
    return Tenant(checked(workspace, WORKSPACE_HEADER), checked(client, CLIENT_HEADER))


def from_attributes(attributes: Iterable[Any], otherwise: Tenant) -> Tenant:
    """The tenant that a resource's attributes (OTLP `KeyValue`s) name, else `otherwise`.

    Raises:
        RefusedError: as :func:`from_headers`.
    """
    workspace, client = otherwise
    for attribute in attributes:
        key = attribute.key
        if key in _WORKSPACE_KEYS:
            workspace = checked(attribute.value.string_value, key)
        elif key in _CLIENT_KEYS:
            client = checked(attribute.value.string_value, key)
    return Tenant(workspace, client)


def checked(name: str, field: str) -> str:
    """The name, if it may be one.

    Raises:
        RefusedError: it may not; the error names `field`.
    """
    if not _VALID.fullmatch(name):
        raise invalid(
            f"{field} must be a string of 1 to 128 characters out of A-Z a-z 0-9 . _ : -, "
            f"not {name[:140]!r}",
            field,
        )
    return name
