"""Whether a client has disconnected."""

import select
import socket


def hung_up(connection: socket.socket, cancel: bytes = b"") -> bool:
    """Check, without consuming data, whether the client has closed or sent `cancel`.

    Args:
        connection: The client's socket; no other thread may be reading from it.
        cancel: A packet that counts as hanging up.
    """
    try:
        waiting = select.poll()
        waiting.register(connection, select.POLLIN)
        # On a socket with a timeout, recv would wait even with MSG_DONTWAIT: poll first.
        return bool(waiting.poll(0)) and connection.recv(1, socket.MSG_PEEK) in {b"", cancel}
    except (OSError, ValueError):
        return True
