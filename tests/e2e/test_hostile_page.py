"""Hostile bodies, names and values are shown as text in the view of log records."""

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
}


@pytest.fixture
def page(open_page, store, request):
    workspace = f"{WORKSPACE}-{request.node.callspec.params['kind']}"
    text = TEXTS[request.node.callspec.params["kind"]]
    value = text[:1000]
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
    if kind == "long":
        expect(details.locator("pre")).to_contain_text("Show all")
        assert len(details.locator("pre").inner_text()) < 11_000

    page.get_by_role("button", name="Patterns", exact=True).click()
    patterns = page.locator("#pattern-list > li")
    expect(patterns).to_have_count(1)
    patterns.locator("summary").click()

    assert page.evaluate("({}).polluted") is None
    assert page.locator("main script, main img, main a[href^='http://example']").count() == 0
