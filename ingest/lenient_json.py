"""JSON as clients send it, where a strict parser takes offence: for a second try.

What is not UTF-8, and halves of surrogate pairs, become U+FFFD; numbers beyond a double become
their text, and so do `NaN` and `Infinity`, which JSON does not have. What is nested deeper than
anything that could be stored becomes null.
"""

import json
import math
import re
from typing import Any

DEEPEST = 450
"""Levels of objects and arrays, far beyond what any field takes."""

_LONGEST_NUMBER = 400

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.",
    re.DOTALL,
)


def decode(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """A JSON value, repaired.

    Raises:
        ValueError: It is no JSON.
        RecursionError: It is nested too deep, and not closed.
    """
    text = _ESCAPE.sub(_whole, body.decode("utf-8-sig", "replace"))
    return json.loads(
        _shallow(text), parse_float=_float, parse_int=_integer, parse_constant=str, strict=False
    )


def why(error: Exception) -> str:
    """Why a body is not JSON, after "is not JSON: "; `error` is msgspec's."""
    return str(error).removeprefix("JSON is malformed: ")


def _whole(escape: re.Match[str]) -> str:
    return "\\ufffd" if escape[1] else escape[0]


def _float(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _integer(text: str) -> int | str:
    return int(text) if len(text) < _LONGEST_NUMBER else text


def _shallow(text: str) -> str:
    """The text without what is nested deeper than :data:`DEEPEST`."""
    kept = []
    depth = end = 0
    for token in _TOKEN.finditer(text):
        if token[0] in {"[", "{"}:
            depth += 1
            if depth == DEEPEST + 1:
                kept += [text[end : token.start()], "null"]
                end = len(text)
        elif token[0] in {"]", "}"}:
            if depth == DEEPEST + 1:
                end = token.end()
            depth -= 1
    return "".join([*kept, text[end:]]) if kept else text
