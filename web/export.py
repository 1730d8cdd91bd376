"""The export of a search as a file, streamed, without a cap."""

from collections.abc import Generator, Mapping
from typing import Any

import structlog
from flask import Response

from storage.errors import StorageError
from storage.logs.export import ExportQuery, export
from web.blueprint import ApiBlueprint
from web.errors import WrongParameterError
from web.exploration_schemas import FILE_TYPES, ExportArguments
from web.log_query import filters_of
from web.services import services
from web.spans import span_of

log = structlog.get_logger(__name__)

_BINARY = {"schema": {"type": "string", "format": "binary"}}
DOCUMENTED = {"200": {"content": dict.fromkeys(FILE_TYPES.values(), _BINARY)}}
"""For OpenAPI: a file of any of the formats."""


def export_blueprint() -> ApiBlueprint:
    """The route `/logs/export`."""
    blueprint = ApiBlueprint("export", __name__, description="Log records as files")

    @blueprint.endpoint("/logs/export", FILE_TYPES["ndjson"], takes=ExportArguments)
    @blueprint.doc(responses=DOCUMENTED)  # type: ignore[untyped-decorator] # ships no types
    def logs_export(arguments: dict[str, Any]) -> Response:
        """All records of the search as one file, however many.

        If the database fails half-way, the connection is cut: the file then has no end.
        """
        return _streamed(export_query(arguments))

    return blueprint


def export_query(arguments: Mapping[str, Any]) -> ExportQuery:
    """What the arguments ask to be exported.

    Raises:
        WrongParameterError: they contradict each other.
    """
    if arguments["spreadsheet_safe"] and arguments["format"] != "csv":
        raise WrongParameterError("spreadsheet_safe", "It is for `format=csv` only.")
    return ExportQuery(
        filters=filters_of(arguments),
        span=span_of(arguments),
        form=arguments["format"],
        order=arguments["order"],
        spreadsheet_safe=arguments["spreadsheet_safe"],
    )


def _streamed(query: ExportQuery) -> Response:
    own = services()
    pieces = export(own.clickhouse, own.settings, query)
    # What fails before the first piece can still be answered with a status.
    first = next(pieces, b"")
    return Response(
        _watched(first, pieces),
        headers={"Content-Disposition": f'attachment; filename="logs.{query.form}"'},
        content_type=FILE_TYPES[query.form],
    )


def _watched(first: bytes, pieces: Generator[bytes]) -> Generator[bytes]:
    """All pieces; an error goes on to the server, which then cuts the connection."""
    try:
        if first:
            yield first
        yield from pieces
    except StorageError as error:
        log.warning("export: broke off", error=str(error))
        raise
    finally:
        pieces.close()
