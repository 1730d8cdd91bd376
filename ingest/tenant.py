"""The tenant of records: workspace and client."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ingest.status import RefusedError, invalid
from storage.decode import any_value

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
    """The tenant in headers or gRPC metadata; `default` for what they do not name.

    Raises:
        RefusedError: a name has invalid characters or an invalid length.
    """
    workspace = headers.get(WORKSPACE_HEADER)
    client = headers.get(CLIENT_HEADER)
    if not workspace and not client:
        return _DEFAULT
    workspace, client = workspace or _DEFAULT.workspace_id, client or _DEFAULT.client_id
    return Tenant(checked(workspace, WORKSPACE_HEADER), checked(client, CLIENT_HEADER))


def from_attributes(attributes: Iterable[Any], otherwise: Tenant) -> Tenant:
    """The tenant in a resource's attributes (OTLP `KeyValue`s), else `otherwise`.

    Raises:
        RefusedError: as for :func:`from_headers`.
    """
    tenant = otherwise
    for attribute in attributes:
        key = attribute.key
        if key in _WORKSPACE_KEYS:
            tenant = Tenant(_name(attribute), tenant.client_id)
        elif key in _CLIENT_KEYS:
            tenant = Tenant(tenant.workspace_id, _name(attribute))
    return tenant


def _name(attribute: Any) -> str:  # noqa: ANN401 - the generated messages are untyped
    value = attribute.value
    if value.WhichOneof("value") in {"string_value", None}:
        return checked(value.string_value, attribute.key)
    kind = value.WhichOneof("value").removesuffix("_value")
    text = any_value.json_text(value)[:140]
    raise _wrong(attribute.key, f"{text} (OTLP {kind}; send it as a string)")


def checked(name: str, field: str) -> str:
    """The name, if it is valid.

    Raises:
        RefusedError: it is not valid; the error names `field`.
    """
    if not _VALID.fullmatch(name):
        raise _wrong(field, repr(name[:140]))
    return name


def _wrong(field: str, found: str) -> RefusedError:
    return invalid(
        f"{field} must be a string of 1 to 128 characters from A-Z a-z 0-9 . _ : -, not {found}",
        field,
    )
