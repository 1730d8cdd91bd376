"""Hostile bodies, names and values are shown as text in the view of log records."""

import json
import urllib.request

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.e2e

WORKSPACE = "hostile-page"
SCRIPT = "<script>window.hacked=1</script><img src=x onerror=window.hacked=1>"
TEXTS = {
    "script": SCRIPT,
    "colours": "\x1b[31mred\x1b[0m \x1b]8;;http://example.test\x07link\x1b]8;;\x07",
    "controls": "before\x00\x07\x08after",
    "direction": "user \u202egnp.exe\u202c and \u200bhidden",
    "prototype": '{"__proto__": {"polluted": true}, "constructor": 1}',
    "long": "x" * 1_000_000,
    "bells": "\x07" * 300_000,
    "nested": '{"a":' + "[" * 2000 + "]" * 2000 + "}",
}


@pytest.fixture
def page(open_page, store, request):
    workspace = f"{WORKSPACE}-{request.node.callspec.params['kind']}"
    text = TEXTS[request.node.callspec.params["kind"]]
    # What is kept of an attribute is long enough.
    value = text[:300_000] if request.node.callspec.params["kind"] == "bells" else text[:1000]
    store(
        workspace,
        [
            {
                "message": text,
                "service": value,
                "level": value[:50],
                "__proto__": value,
                "constructor": value,
                f"name {value[:100]}": value,
            }
        ],
    )
    return open_page(f"/?workspace_id={workspace}")


@pytest.mark.parametrize("kind", TEXTS)
def test_a_hostile_record_is_shown_as_text(page, kind):
    records = page.locator("#rows .record")
    expect(records).to_have_count(1)
    records.get_by_role("button").click()
    details = page.locator(".details")
    expect(details).to_contain_text("__proto__")
    expect(details).to_contain_text("constructor")
    expect(page.locator("#fields .facet").first).to_be_visible()
    if kind == "controls":
        expect(details.locator("pre")).to_contain_text("before␀␇␈after")
    if kind == "direction":
        expect(details.locator("pre")).to_contain_text("⟨U+202E⟩")
    if kind == "colours":
        expect(details.locator("pre .ansi-red")).to_have_text("red")
    if kind == "nested":
        expect(details.locator(".json").first).to_be_visible()
    if kind == "long":
        expect(details.locator("pre")).to_contain_text("Show all")
        assert len(details.locator("pre").inner_text()) < 11_000

    page.get_by_role("button", name="Patterns", exact=True).click()
    patterns = page.locator("#pattern-list > li")
    expect(patterns).to_have_count(1)
    patterns.locator("summary").click()

    assert page.evaluate("({}).polluted") is None
    assert page.locator("main script, main img, main a[href^='http://example']").count() == 0


def test_numbers_of_a_json_body_are_shown_as_they_were_written(open_page, store):
    body = '{"id": 1234567890123456789, "price": 1.10, "huge": 1e999, "small": 7}'
    store("hostile-numbers", [{"message": body}])
    page = open_page("/?workspace_id=hostile-numbers")
    page.locator("#rows .record").click()
    numbers = page.locator(".json .number")
    expect(numbers).to_have_text(["1234567890123456789", "1.10", "1e999", "7"])


def test_a_column_may_have_the_name_of_what_every_object_has(open_page, store, sheaf):
    store("hostile-columns", [{"message": "fine", "constructor": "c", "__proto__": "p"}])
    search = {"name": "x", "columns": ["constructor", "__proto__", "attributes[__proto__]"]}
    address = f"http://127.0.0.1:{sheaf.environment['API_PORT']}/api/v1/saved-searches"
    body = json.dumps(search | {"workspace_id": "hostile-columns"}).encode()
    headers = {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(address, body, headers)) as answer:
        assert answer.status == 201
    page = open_page("/?workspace_id=hostile-columns")
    page.get_by_role("button", name="Saved").click()
    page.get_by_role("button", name="x", exact=False).filter(has_text="all records").click()
    expect(page.locator("#rows .record")).to_contain_text("fine")
    expect(page.locator("#rows .record")).to_contain_text("p")
    page.reload()
    expect(page.locator("#rows .record")).to_contain_text("fine")


def test_an_address_that_cannot_be_decoded_is_no_trace(open_page):
    page = open_page("/traces/%zz?workspace_id=hostile-address", refused=[404, 422, 400])
    expect(page.get_by_role("alert")).to_be_visible()


def test_many_levels_make_a_short_legend(open_page, store):
    records = [{"message": "x", "level": f"user {number} logged in"} for number in range(60)]
    store("hostile-levels", records)
    page = open_page("/?workspace_id=hostile-levels")
    legend = page.get_by_role("list", name="Records by level")
    expect(legend.get_by_role("link")).to_have_count(12)
    expect(legend).to_contain_text("and 48 more")
