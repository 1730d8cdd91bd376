"""OTLP requests in protobuf: parsed as a whole to validate them, then cut into pieces."""

from google.protobuf.message import DecodeError

from ingest.convert import limits
from ingest.convert.cut import cut_parsed
from ingest.convert.limits import MOST_RECORDS
from ingest.convert.otlp.repair import rebuilt
from ingest.convert.piece import Pieces
from ingest.convert.refused import Parsed
from ingest.convert.services import Service
from ingest.tenant import Sender


def cut(service: Service, payload: bytes, sender: Sender, most: int = MOST_RECORDS) -> Pieces:
    """Validate an OTLP export request and cut it into pieces.

    An invalid record or resource is refused alone.

    Args:
        service: the OTLP service.
        payload: the request's uncompressed protobuf bytes.
        sender: who sends it.
        most: maximum number of records.

    Raises:
        RefusedError: the bytes are not such a request, or contain too much.
    """
    # Everything that is counted takes more than one byte.
    if len(payload) > most:
        limits.check(service, payload, most)
    try:
        request = service.request.FromString(payload)
    except (DecodeError, RecursionError) as error:
        return cut_parsed(service, rebuilt(service, payload, str(error)), sender, most)
    return cut_parsed(service, Parsed(request, payload), sender, most)
