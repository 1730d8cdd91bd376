"""TLS on a socket that does not block."""

import socket
import ssl
from contextlib import suppress
from typing import Any

_PIECE = 16 * 1024
"""Bytes of a TLS record: what is encrypted at a time, and kept if the client does not read."""

_READ = 1 << 18

_MOST_ANSWERS = 1 << 18
"""Bytes of TLS's own answers that wait for a client; beyond, it sends but never reads."""


class TlsSocket:
    """A server's end of a TLS connection that behaves like a socket that does not block.

    The handshake is part of the first reads. `recv` gives all that can be decrypted, so that
    nothing is left which the poller would not report.
    """

    def __init__(self, raw: socket.socket, context: ssl.SSLContext) -> None:
        """Speak TLS over `raw`, which does not block."""
        self._raw = raw
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._is_shaken = False
        self._unsent = memoryview(b"")
        self._accepted = 0
        """Bytes of the caller's whose encrypted form waits in `_unsent`."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a socket has
        return getattr(self._raw, name)

    def recv(self, most: int) -> bytes:
        """What the client has sent; `most` bounds what is read from the network.

        Raises:
            BlockingIOError: nothing has come, or not all of a record, or of the handshake.
            OSError: the client is gone, or speaks no TLS.
        """
        piece = self._raw.recv(min(most, _READ))
        if piece:
            self._incoming.write(piece)
        else:
            self._incoming.write_eof()
        if not self._is_shaken:
            self._shake()
        plain = self._decrypted()
        if not plain and piece and not self._is_over:
            raise BlockingIOError
        return plain

    def send(self, data: bytes | memoryview) -> int:
        """Send a piece; gives how many bytes of `data` the network took.

        After a BlockingIOError, the next call must begin with the same bytes.

        Raises:
            BlockingIOError: the client does not read.
            OSError: it is gone.
        """
        if not self._accepted:
            self._flush()
            self._accepted = self._tls.write(memoryview(data)[:_PIECE])
            self._unsent = memoryview(self._outgoing.read())
        self._flush()
        sent, self._accepted = self._accepted, 0
        return sent

    def shutdown(self, how: int) -> None:
        """Say that nothing more is sent, then shut the socket down."""
        if not self._accepted and self._is_shaken:
            with suppress(ssl.SSLError, BlockingIOError):
                try:
                    self._tls.unwrap()
                finally:
                    self._take_outgoing()
        self._raw.shutdown(how)

    _is_over = False

    def _shake(self) -> None:
        try:
            self._tls.do_handshake()
            self._is_shaken = True
        except ssl.SSLWantReadError:
            pass
        finally:
            self._take_outgoing()

    def _decrypted(self) -> bytes:
        found = []
        try:
            while piece := self._tls.read(_READ):
                found.append(piece)
            self._is_over = True
        except ssl.SSLWantReadError:
            # What is read may ask for an answer: a key update, a ping.
            self._take_outgoing()
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            self._is_over = True
        return b"".join(found)

    def _take_outgoing(self) -> None:
        if made := self._outgoing.read():
            if len(self._unsent) > _MOST_ANSWERS:
                raise ConnectionAbortedError("the client does not read what TLS answers")
            self._unsent = memoryview(bytes(self._unsent) + made)
            with suppress(BlockingIOError):
                self._flush()

    def _flush(self) -> None:
        while self._unsent:
            self._unsent = self._unsent[self._raw.send(self._unsent) :]
