"""The documentation page in a real browser: the doors and the API, with links that work."""

import re

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.e2e


def test_the_page_shows_the_doors_with_their_ports_and_every_link_leads_somewhere(browser, sheaf):
    page, errors = browser.new_page(), []

    def note(message):
        if message.type == "error":
            errors.append(message.text)

    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", note)
    page.goto(f"{sheaf.addresses['api']}/docs")

    door = page.locator("#doors details", has_text="/api/v1/ingest").first
    door.locator("summary").click()
    command = f"curl {sheaf.addresses['http']}/api/v1/ingest"
    expect(door.locator("pre")).to_contain_text(command)
    expect(page.locator("main")).to_contain_text(sheaf.addresses["grpc"])
    expect(page.locator("#endpoints summary", has_text="/api/v1/customers").first).to_be_visible()

    links = page.locator("main a").evaluate_all("all => all.map(each => each.href)")
    assert any(re.search(r"/docs/search\.md$", link) for link in links)
    for link in set(links):
        assert page.request.get(link).status == 200, link

    assert errors == []
    page.close()
