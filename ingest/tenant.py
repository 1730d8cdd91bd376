"""The tenant of records: workspace and client."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from access.principal import Principal
from ingest.status import Reason, RefusedError, invalid
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


class Sender(NamedTuple):
    """Who sends a request: whose its records are, and whose they may be.

    Attributes:
        tenant: of resources that name none.
        workspace_id: the only workspace they may name; empty: any.
        client_id: the only client they may name; empty: any.
    """

    tenant: Tenant = _DEFAULT
    workspace_id: str = ""
    client_id: str = ""

    def tenant_of(self, attributes: Iterable[Any]) -> Tenant:
        """The tenant that a resource's attributes (OTLP `KeyValue`s) name, else the sender's.

        Raises:
            RefusedError: a name has characters or a length that a tenant's name may not have, or
                the sender is bound to another.
        """
        tenant = self.tenant
        for attribute in attributes:
            key = attribute.key
            if key in _WORKSPACE_KEYS:
                tenant = Tenant(self.workspace(_name(attribute), key), tenant.client_id)
            elif key in _CLIENT_KEYS:
                tenant = Tenant(tenant.workspace_id, self.client(_name(attribute), key))
        return tenant

    def workspace(self, name: str, field: str) -> str:
        """The name of a workspace, if the sender may send for it.

        Raises:
            RefusedError: it may not; the error names `field`.
        """
        return _allowed("workspace", name, self.workspace_id, field)

    def client(self, name: str, field: str) -> str:
        """As :meth:`workspace`, for a client."""
        return _allowed("client", name, self.client_id, field)


def sender_of(principal: Principal, headers: Mapping[str, str]) -> Sender:
    """The sender of a request with these headers, or gRPC metadata, in lower case.

    Resources that name no tenant are the one's that the headers name, else the one's that the
    principal is bound to, else `default`.

    Raises:
        RefusedError: as :meth:`Sender.tenant_of`, of the headers.
    """
    workspace, client = headers.get(WORKSPACE_HEADER), headers.get(CLIENT_HEADER)
    bound = Sender(_DEFAULT, principal.workspace_id, principal.client_id)
    if not (workspace or client or bound.workspace_id):
        return ANY
    if workspace:
        bound.workspace(checked(workspace, WORKSPACE_HEADER), WORKSPACE_HEADER)
    if client:
        bound.client(checked(client, CLIENT_HEADER), CLIENT_HEADER)
    tenant = Tenant(
        workspace or bound.workspace_id or _DEFAULT.workspace_id,
        client or bound.client_id or _DEFAULT.client_id,
    )
    return bound._replace(tenant=tenant)


ANY = Sender()
"""Of any tenant, and `default` where none is named."""


def lowered(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """HTTP headers by their names in lower case, as gRPC has them."""
    return {name.lower(): value for name, value in headers}


def _allowed(kind: str, name: str, bound: str, field: str) -> str:
    if bound and name != bound:
        text = f"{field} is {name}, but you are bound to the {kind} {bound}"
        raise RefusedError(Reason.FORBIDDEN, text, field=field)
    return name


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
