"""Sheaf's own log: structured, on standard error, one line per event."""

import json
import logging
import sys
from typing import Any

import structlog

from config.plain_text import escape_values
from config.settings import Settings


def configure(settings: Settings) -> None:
    """Send structlog's and the standard library's records through one formatter.

    `LOG_LEVEL` is the minimum level; `LOG_FORMAT` picks readable lines or JSON.
    """
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    output = logging.StreamHandler(sys.stderr)
    output.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                *_renderers(settings.log_format),
            ],
        )
    )
    logging.basicConfig(level=settings.log_level.upper(), handlers=[output], force=True)
    if settings.log_level != "debug":
        # At info they write three lines for every sweep.
        for chatty in ("celery", "kombu"):
            logging.getLogger(chatty).setLevel(logging.WARNING)


def _renderers(log_format: str) -> list[structlog.types.Processor]:
    """The processors that render an event and escape untrusted text in it."""
    if log_format == "json":
        return [structlog.processors.JSONRenderer(_json)]
    renderer = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    return [escape_values, renderer]


def _json(event: object, **options: Any) -> str:  # noqa: ANN401 - the encoder's
    # The only non-printable character that json.dumps does not escape.
    return json.dumps(event, **options).replace("\x7f", "\\u007f")
