import multiprocessing

import pytest

from config.settings import Settings
from tests.integration.serving.small_server import THREADS, listens, serve


@pytest.fixture(scope="module")
def start(free_port, wait_until):
    """Start a server with changed settings; returns its process and its port."""
    started = []

    def begin(files=0, **changes):
        port = free_port()
        settings = Settings(
            listen_host="127.0.0.1", api_port=port, door_threads=THREADS, receive_seconds=2.0
        )
        made = settings.model_copy(update=changes)
        process = multiprocessing.get_context("spawn").Process(target=serve, args=(made, files))
        process.start()
        started.append(process)
        wait_until(lambda: listens(port), 60)
        return process, port

    yield begin
    for process in started:
        process.terminate()
        process.join(40)
        process.kill()
