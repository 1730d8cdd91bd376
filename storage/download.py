"""Answers in one of ClickHouse's own formats, over its HTTP port, for what is too much to hold."""

from collections.abc import Mapping
from tempfile import SpooledTemporaryFile
from typing import IO, Any
from urllib.parse import urlencode

import urllib3
from clickhouse_driver.util.escape import escape_params

from config.settings import MIB, Settings
from storage.client import PATIENCE, Params
from storage.errors import (
    NoAnswerInTimeError,
    OutcomeUnknownError,
    QueryRefusedError,
    UnavailableError,
    code_of,
)

_IN_MEMORY = 4 * MIB
_PIECE = MIB // 4

_UNREACHABLE = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)


class Downloads:
    """Runs queries whose answers go into files; for one thread at a time."""

    def __init__(self, settings: Settings) -> None:
        """Keep one connection to the HTTP port that `settings` name."""
        scheme = "https" if settings.clickhouse_secure else "http"
        self._url = f"{scheme}://{settings.clickhouse_address}:{settings.clickhouse_http_port}/"
        self._settings = settings
        self._headers = {
            "X-ClickHouse-User": settings.clickhouse_user,
            "X-ClickHouse-Key": settings.clickhouse_password,
        }
        self._http = urllib3.PoolManager(maxsize=1, retries=False)

    def fetch(self, sql: str, params: Params, limits: Mapping[str, Any], form: str) -> IO[bytes]:
        """The whole answer of a query, in a temporary file that is gone when it is closed.

        Whoever reads the file slowly holds up no query, and an answer that breaks off is not
        given at all.

        Args:
            sql: a SELECT without FORMAT, its values bound from `params` (`%(name)s`).
            params: the values.
            limits: ClickHouse settings of the query.
            form: ClickHouse's name of the answer's format.

        Raises:
            QueryRefusedError: ClickHouse answered with an error; its code is in `code`.
            UnavailableError: ClickHouse could not be reached.
            NoAnswerInTimeError: ClickHouse is there, but did not answer in time.
            OutcomeUnknownError: the answer did not arrive whole.
        """
        # The driver writes the literals of the queries over the native protocol too.
        text = f"{sql % escape_params(dict(params), None)} FORMAT {form}"
        try:
            return self._answer(text.encode(), limits)
        except _UNREACHABLE as error:
            raise UnavailableError(f"ClickHouse cannot be reached: {error}") from error
        except urllib3.exceptions.ReadTimeoutError as error:
            raise NoAnswerInTimeError(f"ClickHouse did not answer in time: {error}") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise OutcomeUnknownError(f"ClickHouse's answer did not arrive: {error!r}") from error

    def close(self) -> None:
        """Close the connection."""
        self._http.clear()

    def _answer(self, sql: bytes, limits: Mapping[str, Any]) -> IO[bytes]:
        answer = self._http.request(
            "POST",
            f"{self._url}?{self._parameters(limits)}",
            body=sql,
            headers=self._headers,
            timeout=urllib3.Timeout(connect=5, read=self._settings.query_max_seconds + PATIENCE),
            preload_content=False,
        )
        try:
            if answer.status != 200:  # noqa: PLR2004 - HTTP's own number
                raise _refusal(answer)
            return _kept(answer)
        finally:
            answer.close()

    def _parameters(self, limits: Mapping[str, Any]) -> str:
        # Without wait_end_of_query an error half-way would stand in the answer, after rows.
        own = {"database": self._settings.clickhouse_database, "wait_end_of_query": 1}
        return urlencode(own | dict(limits))


def _kept(answer: urllib3.BaseHTTPResponse) -> IO[bytes]:
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
