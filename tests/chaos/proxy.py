"""A TCP proxy that loses, delays and cuts traffic on demand."""

import asyncio
import socket
import threading
from contextlib import suppress

_PIECE = 1 << 16
_LOOK_SECONDS = 0.01


class Proxy:
    """Forwards a loopback port to another one, in a separate thread.

    Faults:
        `swallow`: the server's answers are lost, the connection stays open.
        `cut`: the connection breaks at the server's next answer, which is lost.
        `cut_request`: the connection breaks in the middle of a request.
        `hold`: answers wait until :meth:`heal`.
        `refuse`: every new connection is closed.

    `delay` is how many seconds each answer waits; `hits` counts faults, `requests` HTTP requests.
    """

    def __init__(self, port, target):
        self.port = port
        self._target = target
        self.fault = None
        self.delay = 0.0
        self.hits = 0
        self.requests = 0
        self._left = self._skipped = 0
        self._writers = set()
        self._serving = set()
        self._loop = self._stopping = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"proxy {port}", daemon=True)

    def start(self):
        self._thread.start()
        self._ready.wait()

    def stop(self):
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def heal(self):
        """Forward everything again."""
        self.fault, self.delay, self._left, self._skipped = None, 0.0, 0, 0

    def break_next(self, fault, times):
        """Apply `fault` to the next `times` answers or requests, then forward everything."""
        self.hits, self._left, self.fault = 0, times, fault

    def break_all(self, fault, skipped=0):
        """Apply `fault` until :meth:`heal`, but not to the first `skipped` answers or requests."""
        self.hits, self._left, self._skipped, self.fault = 0, -1, skipped, fault

    def disconnect(self):
        """Break every connection now."""
        self._loop.call_soon_threadsafe(self._close_all)

    def _close_all(self):
        for writer in list(self._writers):
            writer.transport.abort()

    def _strikes(self, fault):
        """Whether a fault applies now, which counts as a hit."""
        if self.fault != fault:
            return False
        if self._skipped:
            self._skipped -= 1
            return False
        self.hits += 1
        if self._left > 0:
            self._left -= 1
            if not self._left:
                self.fault = None
        return True

    def _run(self):
        # Cancels what is left, and closes every socket before the loop.
        asyncio.run(self._main())

    async def _main(self):
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        with socket.create_server(("127.0.0.1", self.port), backlog=100) as listening:
            listening.setblocking(False)
            self._loop.add_reader(listening, self._accept, listening)
            self._ready.set()
            await self._stopping.wait()
            self._loop.remove_reader(listening)

    def _accept(self, listening):
        # asyncio's server loses a connection that it accepts just before it is closed.
        with suppress(OSError):
            connection, _ = listening.accept()
            task = self._loop.create_task(self._serve(connection))
            self._serving.add(task)
            # A task that is cancelled before it begins cannot close the connection itself.
            task.add_done_callback(lambda _: connection.close())
            task.add_done_callback(self._serving.discard)

    async def _serve(self, connection):
        if self.fault == "refuse":
            self.hits += 1
            return
        ends = set()
        try:
            reader, writer = await asyncio.open_connection(sock=connection)
            ends.add(writer)
            with suppress(OSError):
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
                ends.add(far_writer)
                self._writers |= ends
                await self._forward(
                    self._requests(reader, far_writer), self._answers(far_reader, writer)
                )
        finally:
            self._writers -= ends
            for end in ends:
                end.transport.abort()

    async def _forward(self, *ways):
        """Forward in both directions, until one of them ends."""
        tasks = {asyncio.ensure_future(way) for way in ways}
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)

    async def _requests(self, reader, writer):
        with suppress(OSError):
            while piece := await reader.read(_PIECE):
                self.requests += piece.startswith(b"POST ")
                if self._strikes("cut_request"):
                    writer.write(piece[: len(piece) // 2])
                    await writer.drain()
                    return
                writer.write(piece)
                await writer.drain()

    async def _answers(self, reader, writer):
        with suppress(OSError):
            while piece := await reader.read(_PIECE):
                if self._strikes("cut"):
                    return
                if self._strikes("swallow"):
                    continue
                while self.fault == "hold":  # noqa: ASYNC110 - other threads set the fault
                    await asyncio.sleep(_LOOK_SECONDS)
                if self.delay:
                    await asyncio.sleep(self.delay)
                writer.write(piece)
                await writer.drain()
