"""A TCP proxy that loses, delays and cuts what passes through it, when it is told to."""

import asyncio
import threading
from contextlib import suppress

_PIECE = 1 << 16


class Proxy:
    """Forwards a loopback port to another one, in a thread of its own.

    `swallow`: the server's answers vanish, the connection stays. `cut`: at the server's next
    answer the connection breaks, the answer is lost. `cut_request`: it breaks in the midst of
    a request. `refuse`: no connection lives. `delay`: seconds that each answer waits.
    `hits` counts the faults, `requests` HTTP requests.
    """

    def __init__(self, port, target):
        self.port = port
        self._target = target
        self.fault = None
        self.delay = 0.0
        self.hits = 0
        self.requests = 0
        self._left = 0
        self._writers = set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"proxy {port}", daemon=True)

    def start(self):
        self._thread.start()
        self._ready.wait()

    def stop(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def heal(self):
        """Forward faithfully again."""
        self.fault, self.delay, self._left = None, 0.0, 0

    def break_next(self, fault, times):
        """Apply `fault` to the next `times` answers or requests, then forward faithfully."""
        self.hits, self._left, self.fault = 0, times, fault

    def break_all(self, fault):
        """Apply `fault` until :meth:`heal`."""
        self.hits, self._left, self.fault = 0, -1, fault

    def disconnect(self):
        """Break every connection now."""
        self._loop.call_soon_threadsafe(self._close_all)

    def _close_all(self):
        for writer in list(self._writers):
            writer.transport.abort()

    def _strikes(self, fault):
        if self.fault != fault:
            return False
        self.hits += 1
        if self._left > 0:
            self._left -= 1
            if not self._left:
                self.fault = None
        return True

    def _run(self):
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", self.port)
        )
        self._ready.set()
        self._loop.run_forever()
        server.close()
        self._close_all()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader, writer):
        if self.fault == "refuse":
            self.hits += 1
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, far_writer}
        self._writers |= ends
        try:
            await asyncio.wait(
                {
                    asyncio.ensure_future(self._requests(reader, far_writer)),
                    asyncio.ensure_future(self._answers(far_reader, writer)),
                },
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            self._writers -= ends
            for end in ends:
                end.transport.abort()

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
                if self.delay:
                    await asyncio.sleep(self.delay)
                writer.write(piece)
                await writer.drain()
