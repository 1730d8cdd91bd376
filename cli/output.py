"""The terminal, shared by all processes: each line carries the name of the one that wrote it."""

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

    Whole lines are written, from any thread; when the terminal goes away, they are dropped, but
    the pipes are read on, so that no process blocks.
    """

    def __init__(self, names: Iterable[str], stream: TextIO) -> None:
        """Open the pipes; a process that is started again under its name uses the same."""
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
            # What a process left outside of its group may hold the pipe open for ever.
            reader.join(timeout=1)

    def line(self, name: str, text: str | bytes) -> None:
        """Write one line, or several, as `name`."""
        now = datetime.now()  # noqa: DTZ005 - people read it, beside their own clock
        message = Message("line", text, now, name, self._colours.get(name))
        self._write(lambda: self._printer.write(message))

    def say(self, text: str) -> None:
        """Write one line in the launcher's own name."""
        self.line(OWN_NAME, text)

    def block(self, text: str) -> None:
        """Write text as it is, to be read and copied."""
        self._write(lambda: print(text, file=self._stream, flush=True))

    def _copy(self, name: str) -> None:
        with os.fdopen(self.reading_ends[name], "rb") as pipe:
            for line in pipe:
                # Else what is within a line may end it: not all processes write Sheaf's own log.
                text = line.decode(errors="replace").rstrip("\r\n")
                self.line(name, escape(text.expandtabs()))

    def _write(self, write: Callable[[], None]) -> None:
        with self._lock:
            if not self._open:
                return
            # What the terminal's encoding lacks costs the line, not the ones that follow.
            with suppress(UnicodeEncodeError):
                try:
                    write()
                except OSError:
                    self._open = False


def drain(descriptor: int) -> None:
    """Read a pipe to its end, for nobody."""
    with suppress(OSError), os.fdopen(descriptor, "rb", buffering=0) as pipe:
        while pipe.read(65536):
            pass
