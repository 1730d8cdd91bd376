"""Members of JSON objects within texts: nested attributes, structured bodies, JSON in bodies.

Only the members are replaced. The rest of the text stays as it is, and need not be JSON.
"""

import json
import re
from collections.abc import Callable

_KEY = re.compile(r'(?<!\\)"((?:[^"\\]|\\.)*)"\s*:\s*', re.DOTALL)
_DECODER = json.JSONDecoder(strict=False)

Replace = Callable[[str, str], str | None]
"""Takes a member's key and value, and gives the new value; None: the member is dropped."""


def key_expression(names: str) -> str:
    """A regular expression (RE2) for texts with a member whose key fits; `*` is any text."""
    parts = (re.escape(_quoted(part)[1:-1]) for part in names.split("*"))
    key = '[^"]*'.join(parts)
    return f'(?i:"{key}"\\s*:)'


def replace_members(text: str, concerns: Callable[[str], bool], replace: Replace) -> str:
    """A text with members replaced: those whose keys `concerns` is true for."""
    parts: list[str] = []
    done = 0
    found = _KEY.search(text)
    while found:
        key, end = _unquoted(found[1]), found.end()
        if concerns(key):
            value, end = _value(text, end)
            made = replace(key, value)
            parts.append(text[done : found.start() if made is None else found.end()])
            if made is None:
                end = _without_comma(parts, text, end)
            else:
                parts.append(_quoted(made))
            done = end
        found = _KEY.search(text, end)
    return "".join([*parts, text[done:]])


def _value(text: str, start: int) -> tuple[str, int]:
    """The value that begins at `start`, and where it ends; if it is cut off, at the text's end."""
    try:
        value, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        return text[start:], len(text)
    return value if isinstance(value, str) else text[start:end], end


def _without_comma(parts: list[str], text: str, end: int) -> int:
    """Leave out one comma beside a dropped member; gives where the rest of the text begins."""
    if after := re.compile(r"\s*,\s*").match(text, end):
        return after.end()
    # The members before it may have been dropped, too.
    while len(parts) > 1 and not parts[-1].strip():
        parts.pop()
    parts[-1] = re.sub(r",\s*\Z", "", parts[-1])
    return end


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _unquoted(content: str) -> str:
    try:
        return str(_DECODER.decode(f'"{content}"'))
    except ValueError:
        return content
