"""The built-in Valkey as a process: however it ends, it loses nothing that it confirmed."""

import os
import signal
import subprocess
import sys

import pytest
import redis

pytestmark = pytest.mark.integration


class Valkey:
    def __init__(self, folder, port, root):
        self.port = port
        self._environment = {
            **os.environ,
            "DATA_DIR": str(folder),
            "VALKEY_PORT": str(port),
            "APPENDFSYNC": "always",
            "LEDGER_MAX_BYTES": str(64 << 20),
        }
        self._root = root
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "embedded.valkey"],
            cwd=self._root,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def answers(self):
        with redis.Redis(port=self.port) as client:
            try:
                return client.ping()
            except redis.RedisError:
                return False


@pytest.fixture
def valkey(tmp_path, free_port, project_root, wait_until):
    server = Valkey(tmp_path / "data", free_port(), project_root)
    server.start()
    wait_until(server.answers)
    yield server
    if server.process.poll() is None:
        server.process.kill()
        server.process.wait()


def test_it_runs_as_the_settings_say(valkey, tmp_path):
    with redis.Redis(port=valkey.port, decode_responses=True) as client:
        found = client.config_get("*")
        assert client.info("server")["process_id"] == valkey.process.pid
    assert found["appendonly"] == "yes"
    assert found["appendfsync"] == "always"
    assert found["save"] == ""
    assert found["maxmemory"] == str((2 * 64 + 256) << 20)
    assert found["maxmemory-policy"] == "noeviction"
    assert found["lazyfree-lazy-user-del"] == "yes"
    assert found["dir"] == str(tmp_path / "data" / "valkey")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_what_it_confirmed_is_there_after_any_end(valkey, wait_until, number):
    with redis.Redis(port=valkey.port) as client:
        for key in range(500):
            client.set(f"key-{key}", key)

    valkey.process.send_signal(number)
    code = valkey.process.wait(10)
    assert code == (-signal.SIGKILL if number == signal.SIGKILL else 0)

    valkey.start()
    wait_until(valkey.answers)
    with redis.Redis(port=valkey.port) as client:
        found = [int(client.get(f"key-{key}")) for key in range(500)]
    assert found == list(range(500))


def test_a_setting_that_is_wrong_is_told_in_one_line(project_root):
    done = subprocess.run(
        [sys.executable, "-m", "embedded.valkey"],
        cwd=project_root,
        env={**os.environ, "VALKEY_PORT": "none"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.startswith("embedded.valkey: VALKEY_PORT='none'")
    assert len(done.stderr.splitlines()) == 1
