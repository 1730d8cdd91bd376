"""The JSON door: plain JSON records, and their receipts."""

import time
from collections.abc import Callable
from typing import Any

from flask import Response, jsonify, request
from werkzeug.exceptions import NotFound

from ingest.commit.group import Receipt
from ingest.commit.receive import Receiver
from ingest.convert import limits
from ingest.convert.cut import cut_message
from ingest.convert.json import records as json_records
from ingest.convert.json import strict_record
from ingest.convert.json.records import Converted, Problem
from ingest.convert.piece import Pieces
from ingest.convert.services import LOGS
from ingest.doors.http import body, refusals
from ingest.status import Reason, RefusedError, too_large, unavailable
from ingest.tenant import Sender, lowered
from ledger.chunk import MAX_BYTES
from ledger.ledger import BrokerError
from ledger.receipts import ReceiptStatus, receipt_body

_NDJSON = {
    *("application/x-ndjson", "application/ndjson", "application/jsonl"),
    *("application/jsonlines", "application/x-jsonlines", "text/x-ndjson"),
}
_TYPES = _NDJSON | body.UNTYPED | {"application/json", "text/json"}
_MAX_PROBLEMS = 100
_STORED_WITHIN = 30.0
_LOOK_FIRST_AFTER = 0.05
_LOOK_LAST_AFTER = 1.0


def views(receiver: Receiver) -> dict[str, Callable[..., Any]]:
    """The views by their names in `serving.doors`."""
    door = JsonDoor(receiver)
    return {
        "ingest": door.ingest,
        "bulk_logs": door.bulk_logs,
        "log": door.log,
        "receipt": door.receipt,
    }


class JsonDoor:
    """The views of the JSON door."""

    def __init__(self, receiver: Receiver) -> None:
        """Pass requests to `receiver`."""
        self._receiver = receiver

    def ingest(self) -> tuple[Response, int]:
        """`POST /api/v1/ingest`: one record, an array, or NDJSON → 202 and a receipt."""
        pieces, problems = self._read()
        return _accepted(self._commit(pieces, problems), pieces, problems)

    def bulk_logs(self) -> tuple[Response, int]:
        """`POST /api/v1/bulk_logs`: like ingest, answered when stored; 202 if that takes long."""
        pieces, problems = self._read()
        receipt = self._commit(pieces, problems)
        if receipt.backend != "db":
            status = self._await_stored(str(receipt))
            if status is None or status.state in {"queued", "unknown"}:
                return _accepted(receipt, pieces, problems)
            if status.state != "stored":
                raise _not_stored(receipt, status)
        counts = {"stored": pieces.records, "receipt": str(receipt)}
        return jsonify(counts | _problems(problems)), 200

    def log(self) -> tuple[Response, int]:
        """`POST /log`: one record, checked strictly → 202 and a receipt."""
        sent = self._begin()
        raw = body.read(request, self._receiver.admission, strict_record.MAX_REQUEST_BYTES)
        sent.size = len(raw)
        pieces, _ = _cut([strict_record.parse(raw)], [], raw, sent.sender)
        return _accepted(self._commit(pieces, []), pieces, [])

    def receipt(self, receipt: str) -> tuple[Response, int]:
        """`GET …/ingest/receipts/{id}`: the state of a request's records."""
        self._receiver.sender(lowered(request.headers))
        try:
            status = self._receiver.ledger.receipts.status(receipt)
        except BrokerError as error:
            raise unavailable(f"the ledger is not available: {error}") from error
        if status is None:
            raise NotFound("no such receipt, or it is older than the receipt window")
        return jsonify(receipt_body(receipt, status)), 200

    def _read(self) -> tuple[Pieces, list[Problem]]:
        settings, sent = self._receiver.settings, self._begin()
        if request.mimetype not in _TYPES:
            text = (
                f"Unsupported Content-Type {request.mimetype[:60]!r}: "
                "use application/json or application/x-ndjson"
            )
            raise RefusedError(Reason.UNSUPPORTED, text, field="Content-Type")
        raw = body.read(request, self._receiver.admission, settings.max_request_bytes)
        sent.size = len(raw)
        limits.check_values(raw, settings.max_request_records)
        with body.parsing(raw):
            records, problems = json_records.parse(
                raw, lines=request.mimetype in _NDJSON, most=settings.max_request_records
            )
            sent.records = len(records)
            return _cut(records, problems, raw, sent.sender)

    def _begin(self) -> refusals.Sent:
        return refusals.begin(self._receiver, LOGS.signal, self._sender())

    def _commit(self, pieces: Pieces, problems: list[Problem]) -> Receipt:
        receipt = self._receiver.commit(pieces)
        refusals.accepted(self._receiver, len(problems))
        return receipt

    def _sender(self) -> Sender:
        return self._receiver.sender(lowered(request.headers))

    def _await_stored(self, receipt: str) -> ReceiptStatus | None:
        """The receipt's state once nothing of it is queued any more, or after 30 s."""
        deadline = time.monotonic() + _STORED_WITHIN
        pause = _LOOK_FIRST_AFTER
        while True:
            try:
                status = self._receiver.ledger.receipts.status(receipt)
            except BrokerError:
                # The request is accepted: an error would make the client send it again.
                status = None
            waiting = status is None or status.tallies["queued"].chunks
            if not waiting or time.monotonic() > deadline:
                return status
            time.sleep(pause)
            pause = min(_LOOK_LAST_AFTER, 1.5 * pause)


def describe(problems: list[Problem]) -> list[dict[str, Any]]:
    """The first hundred problems, for an answer."""
    return [
        {"index": problem.index, "field": problem.field or None, "reason": problem.reason}
        for problem in problems[:_MAX_PROBLEMS]
    ]


def _cut(
    records: list[Any], problems: list[Problem], raw: bytes, sender: Sender
) -> tuple[Pieces, list[Problem]]:
    """The valid records as pieces, and the problems of the others. Raises if none is valid."""
    converted = _convert(records, problems, sender)
    pieces = _pieces(converted, raw, sender)
    if pieces.rejected:
        # Check each record's size only now: most requests have none near the limit.
        converted = _convert(records, problems, sender, MAX_BYTES)
        pieces = _pieces(converted, raw, sender)
    if pieces.rejected:
        raise too_large("a record", MAX_BYTES)
    return pieces, converted.problems


def _convert(
    records: list[Any], problems: list[Problem], sender: Sender, most_bytes: int = 0
) -> Converted:
    converted = json_records.convert(records, problems, sender, most_bytes)
    if len(converted.problems) == len(records):
        if most_bytes and len(records) == 1:
            raise too_large("a record", MAX_BYTES)
        raise _no_record(converted.problems)
    return converted


def _no_record(problems: list[Problem]) -> RefusedError:
    """The refusal of a request without a valid record."""
    first = problems[0]
    text = f"no record is valid; record {first.index}: {first.reason}"
    return RefusedError(Reason.WRONG_FIELD, text, more=_problems(problems))


def _pieces(converted: Converted, raw: bytes, sender: Sender) -> Pieces:
    payload = converted.request.SerializeToString()
    pieces = cut_message(LOGS, converted.request, payload, sender)
    key = request.headers.get("Idempotency-Key", "")
    return pieces.keyed(key, raw) if key else pieces


def _not_stored(receipt: Receipt, status: ReceiptStatus) -> RefusedError:
    refused = status.tallies["dead"].records + status.tallies["dropped"].records
    text = f"ClickHouse refuses {refused} of {status.records} records"
    reason = f": {status.reason}" if status.reason else ""
    return RefusedError(Reason.WRONG_FIELD, f"{text}{reason} (receipt {receipt})")


def _accepted(receipt: Receipt, pieces: Pieces, problems: list[Problem]) -> tuple[Response, int]:
    counts = {"enqueued": pieces.records, "backend": receipt.backend, "receipt": str(receipt)}
    return jsonify(counts | _problems(problems)), 202


def _problems(problems: list[Problem]) -> dict[str, Any]:
    if not problems:
        return {}
    return {"rejected": len(problems), "errors": describe(problems)}
