"""The command line of the built-in Valkey."""

from config.settings import Settings
from config.units import MIB
from embedded import valkey


def directives(settings):
    arguments = valkey.arguments(settings)
    return dict(zip(arguments[::2], arguments[1::2], strict=True))


def test_nothing_is_evicted_and_every_write_is_in_the_append_only_file(tmp_path):
    found = directives(Settings(data_dir=tmp_path, appendfsync="always", valkey_port=7777))

    assert found["--appendonly"] == "yes"
    assert found["--appendfsync"] == "always"
    assert found["--maxmemory-policy"] == "noeviction"
    assert found["--save"] == ""
    assert found["--port"] == "7777"
    assert found["--bind"] == "127.0.0.1"
    assert found["--dir"] == str(tmp_path / "valkey")


def test_memory_is_twice_what_may_wait_and_some_more():
    settings = Settings(ledger_max_bytes=100 * MIB)
    assert valkey.memory_limit(settings) == 456 * MIB
    assert directives(settings)["--maxmemory"] == str(456 * MIB)


def test_the_binary_is_there():
    assert valkey.find_binary().is_file()
