"""Records without a time: two of them with equal bytes are two events.

Checked only when a request's bytes are repeated, so no other request pays for it.
"""

import secrets
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

import msgspec

from ingest.convert.piece import Piece
from ingest.convert.services import SERVICES, Service
from ledger.chunk import SignalName
from storage.time_range import END_NS

# A time out of range is stored as the time of arrival, like a missing one.
_HAS_TIME: dict[SignalName, Callable[[Any], bool]] = {
    "logs": lambda record: (
        0 < record.time_unix_nano < END_NS or 0 < record.observed_time_unix_nano < END_NS
    ),
    "traces": lambda span: (
        0 < span.start_time_unix_nano < END_NS or 0 < span.end_time_unix_nano < END_NS
    ),
    "metrics": lambda point: 0 < point.time_unix_nano < END_NS,
}
_SERVICES: Mapping[SignalName, Service] = {service.signal: service for service in SERVICES}


def cut_out(piece: Piece) -> tuple[Piece | None, bool]:
    """The records of a piece without a time, and whether any record has one.

    The first is a piece with its own request id, or None if there is no such record.
    """
    service, has_time = _SERVICES[piece.signal], _HAS_TIME[piece.signal]
    request: Any = service.request.FromString(piece.payload)
    records = timed = 0
    for resource in getattr(request, service.resources):
        for scope in getattr(resource, service.scopes):
            for holder in _holders(service, scope):
                members = service.levels[-1](holder)
                timeless = [member for member in members if not has_time(member)]
                records += len(timeless)
                timed += len(members) - len(timeless)
                if len(timeless) < len(members):
                    del members[:]
                    members.extend(timeless)
    if not records:
        return None, True
    payload = request.SerializeToString() if timed else piece.payload
    cut = msgspec.structs.replace(piece, payload=payload, records=records)
    return as_event(cut), timed > 0


def as_event(piece: Piece) -> Piece:
    """The piece with a new, unique request id."""
    return msgspec.structs.replace(piece, request_id=secrets.token_hex(16))


def _holders(service: Service, scope: Any) -> list[Any]:  # noqa: ANN401 - any signal's message
    """The messages that list a scope's records: the scope itself, or each of its metrics."""
    holders = [scope]
    for members_of in service.within[:-1]:
        holders = list(chain.from_iterable(map(members_of, holders)))
    return holders
