"""The page as one file: template, style, script and content.

Its viewer is that of the live page, from `web/pages/static/traces/`.

Data from outside is in one JSON block, which cannot contain `<`, and reaches the page as text only.
The Content-Security-Policy permits only this script and style, and no network.
"""

import base64
import functools
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, Template
from markupsafe import Markup

_STATIC = Path(__file__).parents[2] / "pages" / "static"
_ASSETS = Path(__file__).parent / "templates"
_VIEWER = _STATIC / "traces" / "viewer"
_NAMES = "time model range head search rows overview pointer details page keys shell viewer"
_MODULES = (
    _STATIC / "dom.js",
    _STATIC / "core" / "text.js",
    *(_VIEWER / f"{name}.js" for name in _NAMES.split()),
    _ASSETS / "gantt.js",
)
_STYLES = (_ASSETS / "gantt.css", _STATIC / "traces" / "viewer.css")
_MODULE_SYNTAX = re.compile(r"^import [^;]*;\n|^export ", re.MULTILINE)


def gantt_page(content: Mapping[str, Any]) -> str:
    """The HTML of a page that shows `content`, as :func:`page_content` makes it."""
    return _template().render(content=content)


@functools.cache
def _template() -> Template:
    environment = Environment(loader=FileSystemLoader(_ASSETS), autoescape=True)
    environment.filters["digest"] = _digest
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "default": _text}
    return environment.get_template(
        "gantt.html", globals={"style": _style(), "script": _script(), "icon": _icon()}
    )


def _text(value: object) -> str:
    # The driver gives bytes for a String that is not UTF-8.
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _style() -> Markup:
    styles = (path.read_text(encoding="utf-8") for path in _STYLES)
    return Markup("\n".join(styles))  # noqa: S704 - our own files


def _script() -> Markup:
    """All modules as one: no two declare the same name, so imports and exports can be left out."""
    modules = (_MODULE_SYNTAX.sub("", path.read_text(encoding="utf-8")) for path in _MODULES)
    return Markup("\n".join(modules))  # noqa: S704 - our own files


def _icon() -> Markup:
    return Markup((_STATIC / "icon.svg").read_text(encoding="utf-8"))  # noqa: S704 - our own file


def _digest(text: str) -> str:
    """How a policy names an inline script or style (Content Security Policy 3, section 2.3.1)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
