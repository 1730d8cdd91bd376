"""Downloads large results over ClickHouse's HTTP port, in one of its formats."""

from collections.abc import Mapping
from tempfile import SpooledTemporaryFile
from typing import IO, Any
from urllib.parse import urlencode

import urllib3
from clickhouse_driver.util.escape import escape_params

from config.hosts import Host
from config.settings import Settings
from config.units import MIB
from storage.clickhouse.client import NUMBERS_ARE_VALUES, PATIENCE, Params
from storage.clickhouse.errors import (
    NoAnswerInTimeError,
    OutcomeUnknownError,
    QueryRefusedError,
    UnavailableError,
    code_of,
)
from storage.clickhouse.hosts import Hosts

_IN_MEMORY = 4 * MIB
_PIECE = MIB // 4

_UNREACHABLE = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)


class Downloads:
    """Downloads query results into files. Not thread-safe."""

    def __init__(self, settings: Settings) -> None:
        """Keep one connection to the HTTP port of each host."""
        self._scheme = "https" if settings.clickhouse_secure else "http"
        self._hosts = Hosts(settings.clickhouse_hosts)
        self._settings = settings
        self._headers = {
            "X-ClickHouse-User": settings.clickhouse_user,
            "X-ClickHouse-Key": settings.clickhouse_password,
        }
        self._http = urllib3.PoolManager(maxsize=1, retries=False)

    def fetch(self, sql: str, params: Params, limits: Mapping[str, Any], form: str) -> IO[bytes]:
        """The complete result of a query, in a temporary file that is deleted when it is closed.

        So a slow reader does not hold up the query, and an incomplete result is never returned.

        Args:
            sql: a SELECT without FORMAT.
            params: values for its placeholders (`%(name)s`).
            limits: ClickHouse settings for the query.
            form: the name of a ClickHouse format.

        Raises:
            QueryRefusedError: ClickHouse answered with an error; its code is in `code`.
            UnavailableError: ClickHouse could not be reached.
            NoAnswerInTimeError: ClickHouse is up, but did not answer in time.
            OutcomeUnknownError: the result did not arrive completely.
        """
        # The same escaping as for queries over the native protocol.
        text = f"{sql % escape_params(dict(params), None)} FORMAT {form}"
        return self._hosts.ask(
            lambda host: self._from_host(host, text.encode(), limits), repeatable=True
        )

    def close(self) -> None:
        """Close the connection."""
        self._http.clear()

    def _from_host(self, host: Host, sql: bytes, limits: Mapping[str, Any]) -> IO[bytes]:
        try:
            return self._answer(f"{self._scheme}://{host.url}/", sql, limits)
        except _UNREACHABLE as error:
            raise UnavailableError(f"ClickHouse cannot be reached: {error}") from error
        except urllib3.exceptions.ReadTimeoutError as error:
            raise NoAnswerInTimeError(f"ClickHouse did not answer in time: {error}") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise OutcomeUnknownError(f"ClickHouse's answer did not arrive: {error!r}") from error

    def _answer(self, url: str, sql: bytes, limits: Mapping[str, Any]) -> IO[bytes]:
        answer = self._http.request(
            "POST",
            f"{url}?{self._parameters(limits)}",
            body=sql,
            headers=self._headers,
            timeout=urllib3.Timeout(connect=5, read=self._settings.query_max_seconds + PATIENCE),
            preload_content=False,
        )
        try:
            if answer.status != 200:  # noqa: PLR2004 - OK
                raise _refusal(answer)
            return _saved(answer)
        finally:
            answer.close()

    def _parameters(self, limits: Mapping[str, Any]) -> str:
        # Without wait_end_of_query, an error during the query would appear in the body after rows.
        fixed = {
            **NUMBERS_ARE_VALUES,
            "database": self._settings.clickhouse_database,
            "wait_end_of_query": 1,
        }
        return urlencode(fixed | dict(limits))


def _saved(answer: urllib3.BaseHTTPResponse) -> IO[bytes]:
    file = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed by the caller
    try:
        for piece in answer.stream(_PIECE):
            file.write(piece)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def _refusal(answer: urllib3.BaseHTTPResponse) -> QueryRefusedError:
    message = answer.data.decode("utf-8", "replace").strip()
    code = int(answer.headers.get("X-ClickHouse-Exception-Code", 0)) or code_of(message)
    return QueryRefusedError(message or f"ClickHouse answered HTTP {answer.status}", code)
