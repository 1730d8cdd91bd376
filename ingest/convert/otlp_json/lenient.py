"""Reads OTLP/JSON where the strict parser fails: mends it and cuts it off at a depth."""

import re
from typing import Any

from ingest.convert import mended_json

DEEPEST = 450
"""Levels of objects and arrays, far more than any field allows; deeper ones become null."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


def decode(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """A JSON value, mended; `NaN` and `Infinity` become text, as OTLP writes them.

    Raises:
        ValueError: it is not JSON.
        RecursionError: it is nested too deep and not closed.
    """
    return mended_json.load(_shallow(mended_json.text_of(body)), constant=str)


def _shallow(text: str) -> str:
    """The text, with null for what is nested deeper than :data:`DEEPEST`."""
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
