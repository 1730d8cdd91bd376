"""Every example of a query, on the page, in the API's document and in the docs, is a query."""

import html
import re
import urllib.parse

import pytest

from config.settings import Settings
from storage.query.language.fields import LOGS, SPANS
from storage.query.language.parse import parse
from tests.blocks import DOCUMENTS, ROOT
from web.app import create_app

PAGES = [
    path
    for folder in ("templates", "static")
    for path in sorted((ROOT / "web" / "pages" / folder).rglob("*"))
    if path.suffix in {".html", ".js"} and "vendor" not in path.parts
]

_PLACEHOLDER = re.compile(r"""placeholder\s*[=:]\s*(?:"([^"]*)"|'([^']*)')""")
_Q = re.compile(r"""'q=([^']+)'|(?<![\w'-])q=([^\s'"&`]+)""")


def _of_page(path):
    """The placeholders that look like queries: those with a field and a value."""
    for double, single in _PLACEHOLDER.findall(path.read_text(encoding="utf-8")):
        text = html.unescape(double or single)
        if re.search(r"\w:\S", text):
            yield (path.name, text, SPANS if "trace" in path.name else LOGS)


def _of_document():
    """The examples of parameters and fields named `q`."""
    document = create_app(Settings()).test_client().get("/openapi.json").json
    for path, item in document["paths"].items():
        for operation in item.values():
            for parameter in operation.get("parameters", []) if isinstance(operation, dict) else []:
                if parameter["name"] == "q":
                    fields = SPANS if "/traces" in path else LOGS
                    yield (path, parameter["schema"]["example"], fields)
    for name, schema in document["components"]["schemas"].items():
        example = schema.get("properties", {}).get("q", {}).get("example")
        if example:
            yield (name, example, SPANS if "status:" in example else LOGS)


def _of_search_page():
    """The first column of the tables of docs/search.md, but the one of fields' names."""
    text = (ROOT / "docs" / "search.md").read_text(encoding="utf-8")
    for table in re.findall(r"^\| query \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE):
        for row in table.splitlines():
            first = re.split(r"(?<!\\) ?\| ", row, maxsplit=2)[1]
            for query in re.findall(r"`([^`]+)`", first):
                yield ("search.md", query.replace(r"\|", "|"), LOGS)


def _of_docs():
    """What follows `q=` in a command, a request or a text."""
    for path in DOCUMENTS:
        for line in path.read_text(encoding="utf-8").splitlines():
            for quoted, bare in _Q.findall(line):
                text = urllib.parse.unquote(quoted or bare)
                yield (path.name, text, SPANS if "/traces" in line else LOGS)


EXAMPLES = [
    *(each for path in PAGES for each in _of_page(path)),
    *_of_document(),
    *_of_search_page(),
    *_of_docs(),
]


@pytest.mark.parametrize(("place", "text", "fields"), EXAMPLES, ids=lambda each: str(each)[:60])
def test_an_example_is_a_query(place, text, fields):
    assert place
    parse(text, fields)


def test_examples_are_found_everywhere():
    places = {place for place, _, _ in EXAMPLES}
    assert places >= {"search.md", "README.md", "traces.md", "/api/v1/logs", "/api/v1/traces"}
    assert places & {path.name for path in PAGES}
    assert ("README.md", 'level:error AND "out of memory" -service:cron', LOGS) in EXAMPLES
    assert len([place for place, _, _ in EXAMPLES if place == "search.md"]) >= 50
