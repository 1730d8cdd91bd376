"""Cuts OTLP messages into pieces by tenant and size, without what is invalid."""

import hashlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from google.protobuf.message import Message

from ingest.convert import limits
from ingest.convert.limits import MOST_RECORDS
from ingest.convert.piece import Piece, Pieces, request_id
from ingest.convert.refused import Parsed, Refused, drop, reason
from ingest.convert.services import TRACES, Service
from ingest.convert.spans import bad_spans
from ingest.convert.weight import too_heavy
from ingest.status import RefusedError
from ingest.tenant import Sender, Tenant
from ledger.chunk import MAX_BYTES

_MAX_ENVELOPE = MAX_BYTES // 2
"""Each piece repeats resource and scope: without a limit, megabytes would become gigabytes."""

_IN_SCOPE = 2
"""Depth of the first list within a scope, in `Service.levels`."""


def cut_message(
    service: Service, request: Message, payload: bytes, sender: Sender, identity: bytes = b""
) -> Pieces:
    """Cut an OTLP export request into pieces; an invalid record is refused alone.

    Args:
        service: the OTLP service.
        request: the request.
        payload: its bytes.
        sender: who sends it.
        identity: what a retry repeats, if that is not the payload.
    """
    return cut_parsed(service, Parsed(request, payload, identity=identity), sender)


def cut_parsed(
    service: Service, parsed: Parsed, sender: Sender, most: int = MOST_RECORDS
) -> Pieces:
    """Like :func:`cut_message`, for a request that may already have refused parts."""
    request, payload, refused = parsed.request, parsed.payload, parsed.refused
    if len(payload) > most:
        limits.check_count(len(getattr(request, service.resources)), most)
    by_tenant = _by_tenant(service, request, sender, refused)
    scopes = _scopes(service, chain.from_iterable(by_tenant.values()))
    records = sum(map(service.count, scopes))
    limits.check_count(records, most)
    identity = parsed.identity or payload
    if service is TRACES:
        refused |= bad_spans(request, payload, scopes, records, refused)
    if len(payload) * records > limits.FREE_REPEATS:
        refused |= too_heavy(service, request, len(payload), refused)
    if not refused:
        return _pieces(service, by_tenant, records, payload, identity)
    why = reason(refused, parsed.names or service.names)
    rejected = drop(service, request, refused)
    kept = _by_tenant(service, request, sender, {})
    records = _count(service, chain.from_iterable(kept.values()))
    pieces = _pieces(service, kept, records, request.SerializeToString(), identity)
    whys = [text for text in (why, pieces.reason) if text]
    return Pieces(pieces.pieces, rejected + pieces.rejected, "; ".join(whys))


def _pieces(
    service: Service,
    by_tenant: dict[Tenant, list[Any]],
    records: int,
    payload: bytes,
    identity: bytes,
) -> Pieces:
    if len(by_tenant) == 1 and len(payload) <= MAX_BYTES:
        [tenant] = by_tenant
        known_by = request_id(tenant, service.signal, identity)
        piece = Piece(tenant, service.signal, payload, records, known_by)
        return Pieces((piece,) if records else ())
    return _cut_apart(service, by_tenant, identity)


def _by_tenant(
    service: Service, request: Message, sender: Sender, refused: Refused
) -> dict[Tenant, list[Any]]:
    """The resources of each tenant; those with an invalid tenant become refused."""
    by_tenant: dict[Tenant, list[Any]] = {}
    for number, resource in enumerate(getattr(request, service.resources)):
        try:
            tenant = sender.tenant_of(resource.resource.attributes)
        except RefusedError as refusal:
            refused.setdefault((number,), refusal.text)
            continue
        # Do not cut the request for the sake of an empty resource.
        if getattr(resource, service.scopes):
            by_tenant.setdefault(tenant, []).append(resource)
            if len(by_tenant) > limits.MOST_TENANTS:
                raise limits.too_many_tenants()
    return by_tenant


def _scopes(service: Service, resources: Iterable[Any]) -> list[Any]:
    return [scope for resource in resources for scope in getattr(resource, service.scopes)]


def _count(service: Service, resources: Iterable[Any]) -> int:
    return sum(map(service.count, _scopes(service, resources)))


def _cut_apart(service: Service, by_tenant: dict[Tenant, list[Any]], identity: bytes) -> Pieces:
    pieces: list[Piece] = []
    rejected = 0
    digest = hashlib.sha256(identity).digest()
    for tenant, resources in by_tenant.items():
        whole = service.request(**{service.resources: resources})
        for number, part in enumerate(_split(service, whole)):
            payload = part.SerializeToString()
            records = _count(service, getattr(part, service.resources))
            if len(payload) > MAX_BYTES:
                rejected += records
            elif records:
                # By its number, not by its bytes: a request may contain the same records twice.
                known_by = request_id(tenant, service.signal, digest + number.to_bytes(8))
                pieces.append(Piece(tenant, service.signal, payload, records, known_by))
    reason = f"a record, with its resource, is larger than {MAX_BYTES} bytes" if rejected else ""
    return Pieces(tuple(pieces), rejected, reason)


def _split(service: Service, request: Any) -> Iterator[Any]:  # noqa: ANN401 - any signal's request
    """Requests of at most MAX_BYTES each, except those of a single larger record."""
    if request.ByteSize() <= MAX_BYTES:
        yield request
        return
    halves = _halves(service, request)
    if halves is None:
        yield request
        return
    for half in halves:
        yield from _split(service, half)


def _halves(service: Service, request: Any) -> tuple[Any, Any] | None:  # noqa: ANN401 - as above
    """The request as two, cut at the outermost list with several members."""
    holder = request
    for depth, members_of in enumerate(service.levels):
        members = members_of(holder)
        if not members:
            return None
        if len(members) > 1:
            if depth >= _IN_SCOPE and _envelope(service, request, depth) > _MAX_ENVELOPE:
                return None
            middle = len(members) // 2
            return (
                _copy(service, request, depth, slice(0, middle)),
                _copy(service, request, depth, slice(middle, len(members))),
            )
        holder = members[0]
    return None


def _envelope(service: Service, request: Any, depth: int) -> int:  # noqa: ANN401 - as above
    """Bytes around the members of a request's only list at that depth."""
    size: int = _copy(service, request, depth, slice(0, 0)).ByteSize()
    return size


def _copy(service: Service, request: Any, depth: int, kept: slice) -> Any:  # noqa: ANN401 - as above
    """The request with only some members of its first list at that depth."""
    copy = service.request()
    copy.CopyFrom(request)
    holder = copy
    for members_of in service.levels[:depth]:
        holder = members_of(holder)[0]
    members = service.levels[depth](holder)
    del members[kept.stop :]
    del members[: kept.start]
    return copy
