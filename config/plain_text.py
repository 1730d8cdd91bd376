"""Text of others within Sheaf's own log: it can neither end a line nor begin another."""

import logging

from structlog.types import EventDict, WrappedLogger

_TRACEBACKS = ("exception", "stack")
_INDENT = "\n    "


def escape(text: str) -> str:
    r"""The text with `\\x1b` and the like in place of what is not printed as a character.

    That is all that terminals and log viewers may take for a command or for the end of a line.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def escape_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape each text of an event; a processor of structlog, before the one that writes."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = _traceback(value) if name in _TRACEBACKS else escape(value)
    return event


class PlainFormatter(logging.Formatter):
    """Events of the standard library's log, escaped as Sheaf's are."""

    def format(self, record: logging.LogRecord) -> str:
        """The event in one line, and indented ones."""
        return _traceback(super().format(record))


def _traceback(text: str) -> str:
    """A traceback's lines, each indented: an exception's text may hold what looks like an event."""
    return _INDENT.join(escape(line.replace("\t", "    ")) for line in text.split("\n"))
