"""Escaping of untrusted text in Sheaf's own log, so that it cannot forge a line."""

import logging

from structlog.types import EventDict, WrappedLogger

_TRACEBACKS = ("exception", "stack")
_INDENT = "\n    "


def escape(text: str) -> str:
    r"""The text with `\\x1b` and the like for characters that are not printable.

    Terminals and log viewers may take those for commands or line breaks.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def escape_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape the strings of an event; a structlog processor to run before the renderer."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = _traceback(value) if name in _TRACEBACKS else escape(value)
    return event


class PlainFormatter(logging.Formatter):
    """Formats and escapes records of the standard library's logging."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line, further lines indented."""
        return _traceback(super().format(record))


def _traceback(text: str) -> str:
    """Indent further lines: an exception's text may contain what looks like an event."""
    return _INDENT.join(escape(line.replace("\t", "    ")) for line in text.split("\n"))
