"""The files that the page consists of."""

import gzip
import hashlib
import json
import re
from urllib.parse import urljoin

from tests.unit.web.test_answers import fetched
from web.pages import vendor
from web.pages.files import FOLDER, current_version

_IMPORTED = re.compile(r"""(?:from |import\(|import )"(\.[^"]+)\"""")


def modules(client):
    """Every module that the pages load, with its text; vendored ones apart."""
    page = client.get("/").text + client.get("/docs").text
    texts, left = {}, re.findall(r'src="(/static/[^"]+\.js)"', page)
    while left:
        file = left.pop()
        if file not in texts:
            texts[file] = fetched(client, file)
            if "/vendor/" not in file:
                left += [urljoin(file, name) for name in _IMPORTED.findall(texts[file])]
    return texts


def test_static_files_never_turn_text_into_html_and_load_nothing_from_elsewhere(client):
    texts = modules(client)
    for file, text in texts.items():
        assert not re.search(r"insertAdjacentHTML|document\.write|eval\(|new Function", text), file
        if "/vendor/" not in file:
            assert not re.search(r"innerHTML|outerHTML|dangerouslySet", text), file
            assert not set(re.findall(r"https?://[^\"']+", text)) - {"http://www.w3.org/2000/svg"}
    assert len(texts) >= 30


def test_every_module_is_loaded_by_a_page(client):
    own = [path for path in FOLDER.rglob("*.js") if path.parent.name != "vendor"]
    names = {f"/static/{current_version()}/{path.relative_to(FOLDER)}" for path in own}
    assert names <= modules(client).keys()


def test_vendored_files_are_those_that_were_fetched():
    packages = json.loads((FOLDER / "vendor" / "vendor.json").read_text(encoding="utf-8"))
    assert packages.keys() == vendor.PACKAGES.keys()
    digests = {}
    for package in packages.values():
        digests |= package["files"]
    for name, digest in digests.items():
        assert hashlib.sha256((FOLDER / "vendor" / name).read_bytes()).hexdigest() == digest
    files = {path.name for path in (FOLDER / "vendor").iterdir()}
    assert files == digests.keys() | {"vendor.json", "LICENSES.txt"}
    licences = (FOLDER / "vendor" / "LICENSES.txt").read_text(encoding="utf-8")
    assert all(package in licences for package in packages)


def compressed(paths):
    return sum(len(gzip.compress(path.read_bytes(), 9)) for path in paths)


def test_the_first_view_is_small_and_all_of_the_page_is_not_large(client):
    page = client.get("/").text
    first = re.findall(r'(?:href|src)="/static/\w+/([^"]+\.(?:js|css|svg))"', page)
    assert compressed(FOLDER / name for name in set(first)) <= 100 * 1024

    files = [path for path in FOLDER.rglob("*") if path.suffix in {".js", ".css", ".svg"}]
    assert compressed(files) <= 190 * 1024


def test_a_file_is_compressed_for_who_takes_it(client):
    address = f"/static/{current_version()}/core/html.js"
    plain = client.get(address)
    assert "Content-Encoding" not in plain.headers
    zipped = client.get(address, headers={"Accept-Encoding": "br, gzip"})
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(zipped.data) == plain.data == (FOLDER / "core/html.js").read_bytes()
    for answer in (plain, zipped):
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert answer.mimetype == "text/javascript"


def test_a_file_is_kept_for_good_under_the_address_that_names_its_version(client):
    answer = client.get(f"/static/{current_version()}/core/html.js")
    assert "immutable" in answer.headers["Cache-Control"]


def test_another_version_is_answered_with_the_present_file_and_not_kept(client):
    answer = client.get("/static/0123456789abcdef/core/html.js")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-cache"
