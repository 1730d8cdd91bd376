"""The live tail of a whole running system, over its socket and on the page."""

import http.client
import json
import re

import pytest
import simple_websocket
from playwright.sync_api import expect

from tests.e2e.doors import Doors

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def doors(sheaf):
    opened = Doors(sheaf)
    yield opened
    opened.close()


@pytest.mark.parametrize("door", ["grpc", "otlp", "json"])
def test_what_was_acknowledged_reaches_the_socket(door, doors, sheaf):
    address = f"ws://127.0.0.1:{sheaf.environment['API_PORT']}/ws/live"
    client = simple_websocket.Client(f"{address}?workspace_id=live-{door}&q=-dull")
    assert json.loads(client.receive(timeout=30)) == {"ready": True}

    doors.send(door, f"live-{door}", ["dull", "bright"])
    doors.send(door, "live-elsewhere", ["not yours"])
    log = json.loads(client.receive(timeout=30))
    client.close()
    assert (log["workspace_id"], log["body"]) == (f"live-{door}", "bright")

    connection = http.client.HTTPConnection("127.0.0.1", sheaf.environment["API_PORT"], timeout=30)
    connection.request("GET", f"/api/v1/logs/{log['id']}?workspace_id=live-{door}")
    answer = json.loads(connection.getresponse().read())
    connection.close()
    assert answer["log"] == log


def test_the_page_shows_records_as_they_are_stored(browser, doors, sheaf):
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{sheaf.environment['API_PORT']}/?workspace_id=live-page")
    page.get_by_label("Live").check()
    expect(page.locator("#status")).to_have_text("Live")

    doors.send("otlp", "live-page", ["<b>first</b>"])
    rows = page.locator("#rows tr.record")
    expect(rows).to_have_count(1, timeout=20_000)
    expect(rows.first).to_contain_text("<b>first</b>")

    doors.send("otlp", "live-page", ["second"])
    expect(rows.first).to_contain_text("second", timeout=20_000)

    doors.send("otlp", "live-page", [str(n) for n in range(2000)])
    expect(page.locator("#status")).to_have_text(
        re.compile(r"Live: [\d,]+ records skipped"), timeout=20_000
    )

    page.get_by_label("Live").uncheck()
    doors.send("otlp", "live-page", ["after"])
    page.close()
