"""Sheaf's own log: structured, on standard error, one line an event."""

import logging
import sys

import structlog

from config.settings import Settings


def configure(settings: Settings) -> None:
    """Send structlog's and the standard library's records through one formatter.

    The least severe level is `LOG_LEVEL`; `LOG_FORMAT` picks lines for people or JSON.
    """
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
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
                renderer,
            ]
            if settings.log_format == "json"
            else [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=settings.log_level.upper(), handlers=[output], force=True)
    if settings.log_level != "debug":
        # At info they write three lines for every sweep.
        for chatty in ("celery", "kombu"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
