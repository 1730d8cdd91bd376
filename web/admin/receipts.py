"""Receipts: what became of the records of a request."""

from typing import get_args

from flask import Response, abort
from marshmallow import fields, validate

from ledger.receipts import ReceiptState, receipt_body
from web.http.answers import about_request, answer
from web.http.arguments import described
from web.http.blueprint import ApiBlueprint
from web.http.resources import current_resources
from web.http.schemas import Answer

_UNKNOWN = {404: "There is no such receipt, or it is older than RECEIPT_WINDOW"}


class ReceiptAnswer(Answer):
    """The state of a request's records, for whoever knows its receipt.

    Its chunks may also hold records of other requests. Why they became dead letters is said by
    those.
    """

    receipt = fields.String(required=True)
    status = fields.String(
        required=True,
        validate=validate.OneOf(get_args(ReceiptState)),
        metadata=described("The worst state among its chunks: `stored` if all of it is stored."),
    )
    records = fields.Integer(required=True, metadata=described("Records in its known chunks."))
    rows = fields.Integer(required=True, metadata=described("Of these, stored."))
    queued = fields.Integer(required=True, metadata=described("Of these, waiting to be stored."))
    dead = fields.Integer(required=True, metadata=described("Of these, in dead letters."))
    dropped = fields.Integer(
        required=True, metadata=described("Of these, dropped from the dead letters.")
    )
    unknown_chunks = fields.Integer(
        required=True, metadata=described("Chunks that are no longer known.")
    )
    at = fields.Float(
        required=True,
        metadata=described("When one of its chunks last changed state, in Unix seconds."),
    )


def receipts_blueprint() -> ApiBlueprint:
    """The route `/receipts/<receipt>`."""
    blueprint = ApiBlueprint("receipts", __name__, description="Receipts")

    @blueprint.endpoint("/receipts/<receipt>", ReceiptAnswer, otherwise=_UNKNOWN, cost="none")
    def receipt_status(receipt: str) -> Response:
        """Get the state of a request's records, by the receipt in its answer."""
        status = current_resources().ledger.receipts.status(receipt)
        if status is None:
            abort(404, "There is no such receipt, or it is older than RECEIPT_WINDOW.")
        shown = receipt_body(receipt, status)
        # It may quote records, and a receipt says nothing of who may read them.
        del shown["reason"]
        return answer({**shown, **about_request()})

    return blueprint
