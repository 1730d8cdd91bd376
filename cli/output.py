"""The terminal, shared by all processes: each line begins with the name of its process."""

import os
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from typing import Self, TextIO

from honcho.colour import get_colours
from honcho.printer import Message, Printer

from config.plain_text import escape

OWN_NAME = "sheaf"


class Output:
    """A pipe for each name, and the thread that copies it to the terminal, line by line.

    Whole lines are written, from any thread. When the terminal is closed, lines are dropped, but
    the pipes are still read, so that no process blocks.
    """

    def __init__(self, names: Iterable[str], stream: TextIO) -> None:
        """Open the pipes. A process that is restarted uses the same one."""
        names = list(names)
        self._printer = Printer(stream, width=max(map(len, [*names, OWN_NAME])))
        self._stream = stream
        self._colours = dict(zip(names, get_colours(), strict=False))
        self._lock = threading.Lock()
        self._open = True
        pipes = {name: os.pipe() for name in names}
        self.reading_ends = {name: reading for name, (reading, _) in pipes.items()}
        self.writing_ends = {name: writing for name, (_, writing) in pipes.items()}
        self._readers = [
            threading.Thread(target=self._copy, args=(name,), name=f"output of {name}", daemon=True)
            for name in names
        ]

    def __enter__(self) -> Self:
        for reader in self._readers:
            reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self.writing_ends.values():
            os.close(descriptor)
        for reader in self._readers:
            # A process outside of the group may hold the pipe open forever.
            reader.join(timeout=1)

    def line(self, name: str, text: str | bytes) -> None:
        """Write one line, or several, as `name`."""
        now = datetime.now()  # noqa: DTZ005 - people read it, beside their own clock
        message = Message("line", text, now, name, self._colours.get(name))
        self._write(lambda: self._printer.write(message))

    def say(self, text: str) -> None:
        """Write one line in the launcher's name."""
        self.line(OWN_NAME, text)

    def block(self, text: str) -> None:
        """Write text without a name, so that it can be copied."""
        self._write(lambda: print(text, file=self._stream, flush=True))

    def _copy(self, name: str) -> None:
        with os.fdopen(self.reading_ends[name], "rb") as pipe:
            for line in pipe:
                # Control characters could end the line: not all processes write Sheaf's own log.
                text = line.decode(errors="replace").rstrip("\r\n")
                self.line(name, escape(text.expandtabs()))

    def _write(self, write: Callable[[], None]) -> None:
        with self._lock:
            if not self._open:
                return
            # A character that the terminal cannot encode must lose this line only.
            with suppress(UnicodeEncodeError):
                try:
                    write()
                except OSError:
                    self._open = False


def drain(descriptor: int) -> None:
    """Read a pipe to its end, and discard what is read."""
    with suppress(OSError), os.fdopen(descriptor, "rb", buffering=0) as pipe:
        while pipe.read(65536):
            pass
