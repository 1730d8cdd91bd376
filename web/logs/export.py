"""Exporting all records of a search as a file, streamed."""

from collections.abc import Callable, Generator, Mapping
from typing import Any

import structlog
from flask import Response

from storage.clickhouse.errors import StorageError
from storage.query.logs.export import ExportQuery, export
from web.common.time_range import time_range_of
from web.http.access import NotAuthenticatedError, still_allowed
from web.http.blueprint import ApiBlueprint
from web.http.errors import WrongParameterError
from web.http.resources import current_resources
from web.logs.exploration_schemas import FILE_TYPES, ExportArguments
from web.logs.view import filters_of

log = structlog.get_logger(__name__)

_BINARY = {"schema": {"type": "string", "format": "binary"}}
DOCUMENTED = {"200": {"content": dict.fromkeys(FILE_TYPES.values(), _BINARY)}}
"""For OpenAPI: a file in any of the formats."""


def export_blueprint() -> ApiBlueprint:
    """The route `/logs/export`."""
    blueprint = ApiBlueprint("export", __name__, description="Export")

    @blueprint.endpoint(
        "/logs/export", FILE_TYPES["ndjson"], takes=ExportArguments, cost="stream", audited=True
    )
    @blueprint.doc(responses=DOCUMENTED)  # type: ignore[untyped-decorator] # ships no types
    def logs_export(arguments: dict[str, Any]) -> Response:
        """Export all records of a search as one file, however many.

        If the database fails midway, the connection is closed and the file is incomplete.
        """
        return _streamed(export_query(arguments))

    return blueprint


def export_query(arguments: Mapping[str, Any]) -> ExportQuery:
    """The export that the arguments ask for.

    Raises:
        WrongParameterError: they contradict each other.
    """
    if arguments["spreadsheet_safe"] and arguments["format"] != "csv":
        raise WrongParameterError("spreadsheet_safe", "Only with `format=csv`.")
    return ExportQuery(
        filters=filters_of(arguments),
        time_range=time_range_of(arguments),
        form=arguments["format"],
        order=arguments["order"],
        spreadsheet_safe=arguments["spreadsheet_safe"],
    )


def _streamed(query: ExportQuery) -> Response:
    resources = current_resources()
    pieces = export(resources.clickhouse, resources.settings, query)
    # A failure before the first piece can still be answered with an error status.
    first = next(pieces, b"")
    return Response(
        _watched(first, pieces, still_allowed()),
        headers={"Content-Disposition": f'attachment; filename="logs.{query.form}"'},
        content_type=FILE_TYPES[query.form],
    )


def _watched(
    first: bytes, pieces: Generator[bytes], is_allowed: Callable[[], bool]
) -> Generator[bytes]:
    """All pieces, while the key is valid; an error makes the server close the connection."""
    try:
        if first:
            yield first
        for piece in pieces:
            _require(is_allowed)
            yield piece
    except (StorageError, NotAuthenticatedError) as error:
        log.warning("export: interrupted", error=str(error))
        raise
    finally:
        pieces.close()


def _require(is_allowed: Callable[[], bool]) -> None:
    if not is_allowed():
        raise NotAuthenticatedError("The key is no longer valid.", "Authorization")
