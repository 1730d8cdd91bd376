"""The connection to the broker: atomic scripts, and errors that say whether one may have run."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.connection import Connection
from redis.exceptions import (
    BusyLoadingError,
    NoScriptError,
    OutOfMemoryError,
    RedisError,
    ResponseError,
)
from redis.retry import Retry

from config.settings import Settings
from ledger import keys


class BrokerError(Exception):
    """A command to the broker failed."""


class BrokerAwayError(BrokerError):
    """The broker cannot be reached or is not ready: the command has not run."""


class BrokerFullError(BrokerError):
    """The broker's memory is full: the command has not run."""


class BrokerDoubtError(BrokerError):
    """The command was sent, but no answer arrived: it may have run."""


class BrokerReturnedError(BrokerError):
    """The broker may have been away since the caller last checked: the command has not run."""


PARTS = ("enqueue", "outdate")
"""What several scripts do."""


class Script:
    """One atomic Lua script of `ledger/scripts`."""

    def __init__(self, name: str) -> None:
        """Read the script's text; the file is `<name>.lua`.

        Of `<part>.part.lua`, a script has what it calls.
        """
        folder = resources.files("ledger").joinpath("scripts")
        text = folder.joinpath(f"{name}.lua").read_text(encoding="utf-8")
        for part in PARTS:
            if f"{part}(" in text:
                text = _with_part(text, folder.joinpath(f"{part}.part.lua").read_text("utf-8"))
        self.text = keys.in_script(text).encode()
        self.sha = hashlib.sha1(self.text, usedforsecurity=False).hexdigest()


class Broker:
    """Connections to Valkey or Redis that fail fast; thread-safe.

    Commands are never retried here: only the caller knows whether that is safe.
    """

    def __init__(self, settings: Settings, url: str = "") -> None:
        """Connect lazily to `url`, by default that of the main broker.

        It waits `BROKER_TIMEOUT` for each answer.
        """
        self._connects = 0
        self._pool = redis.ConnectionPool.from_url(
            url or settings.broker_url,
            socket_timeout=settings.broker_timeout,
            socket_connect_timeout=min(1.0, settings.broker_timeout),
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
            redis_connect_func=self._connected,
        )
        self._client = redis.Redis(connection_pool=self._pool, retry=Retry(NoBackoff(), 0))

    def run(self, script: Script, *args: str | bytes | float, connects: int | None = None) -> Any:  # noqa: ANN401 - as Lua
        """Run an atomic script and return its answer.

        Args:
            script: what to run.
            args: its arguments.
            connects: run it only if :meth:`connects` would still return this.

        Raises:
            BrokerReturnedError: it has not run, since there are new connections.
            BrokerAwayError: it has not run.
            BrokerFullError: it has not run, since the broker's memory is full.
            BrokerDoubtError: it may have run.
        """
        connection = self._connect()
        if connects not in {None, self._connects}:
            self._pool.release(connection)
            raise BrokerReturnedError("the broker was reconnected")
        try:
            connection.send_command("EVALSHA", script.sha, 0, *args, check_health=False)
            try:
                return connection.read_response()
            except NoScriptError:
                connection.send_command("EVAL", script.text, 0, *args, check_health=False)
                return connection.read_response()
        except OutOfMemoryError as error:
            raise BrokerFullError("the broker's memory is full") from error
        except BusyLoadingError as error:
            connection.disconnect()
            raise BrokerAwayError("the broker is still loading its files") from error
        except ResponseError as error:
            raise _refusal(error) from error
        except (RedisError, OSError) as error:
            connection.disconnect()
            raise BrokerDoubtError(f"the broker's answer did not arrive: {error!r}") from error
        except BaseException:
            connection.disconnect()
            raise
        finally:
            self._pool.release(connection)

    @contextmanager
    def reading(self) -> Iterator[redis.Redis]:
        """The client, for commands that are safe to repeat or to lose.

        Raises:
            BrokerAwayError: any failure of the connection.
        """
        try:
            yield self._client
        except ResponseError as error:
            raise _refusal(error) from error
        except (RedisError, OSError) as error:
            raise BrokerAwayError(f"the broker cannot be reached: {error}") from error

    def connects(self) -> int:
        """The number of connections made so far; connects first if there is none.

        While it stays the same, the broker has not been away.

        Raises:
            BrokerAwayError: the broker cannot be reached.
        """
        self._pool.release(self._connect())
        return self._connects

    def close(self) -> None:
        """Close all connections."""
        self._pool.disconnect()

    def _connected(self, connection: Connection) -> None:
        connection.on_connect()
        self._connects += 1

    def _connect(self) -> Connection:
        try:
            return self._pool.get_connection()
        except (RedisError, OSError) as error:
            raise BrokerAwayError(f"the broker cannot be reached: {error}") from error


def _with_part(text: str, part: str) -> str:
    """A script with a part in front; the line of its flags stays the first."""
    if not text.startswith("#!"):
        return part + text
    flags, _, rest = text.partition("\n")
    return f"{flags}\n{part}{rest}"


def _refusal(error: ResponseError) -> BrokerError:
    text = str(error)
    if "OOM" in text or "used memory > 'maxmemory'" in text:
        return BrokerFullError("the broker's memory is full")
    if text.startswith("MISCONF") or "-MISCONF" in text:
        return BrokerAwayError(
            f"the broker takes no writes because its disk is full or fails; free space there "
            f"({text})"
        )
    return BrokerAwayError(f"the broker refused the command: {text}")
