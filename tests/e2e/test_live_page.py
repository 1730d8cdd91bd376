"""The live tail of a whole running system, over its socket and on the page."""

import http.client
import json
import os
import re
import signal

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


def test_the_page_shows_records_as_they_are_stored(open_page, doors):
    page = open_page("/?workspace_id=live-page")
    page.get_by_role("button", name="Live").click()
    status = page.locator("#live-status")
    expect(status).to_contain_text("Live")

    doors.send("otlp", "live-page", ["<b>first</b>"])
    rows = page.locator("#rows .record")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("<b>first</b>")

    doors.send("otlp", "live-page", ["second"])
    expect(rows.first).to_contain_text("second")
    expect(page.locator("#total")).to_have_text("2")

    doors.send("otlp", "live-page", [str(n) for n in range(2000)])
    expect(status).to_contain_text(re.compile(r"[\d,]+ records skipped"))


def test_an_open_record_pauses_the_tail_until_the_new_ones_are_asked_for(open_page, doors):
    doors.send("otlp", "live-pause", ["opened"])
    page = open_page("/?workspace_id=live-pause&live=1")
    rows = page.locator("#rows .record")
    expect(rows).to_have_count(1)
    expect(page.locator("#live-status")).to_contain_text("Live")
    rows.first.click()
    expect(page.locator("#live-status")).to_contain_text("Paused")

    doors.send("otlp", "live-pause", ["one", "two", "three"])
    page.get_by_role("button", name="3 new").click()
    expect(rows).to_have_count(4)
    expect(page.locator("#live-status")).to_contain_text("Live")


def test_live_leaves_a_past_time_range(open_page, doors):
    doors.send("otlp", "live-past", ["now"])
    page = open_page("/?workspace_id=live-past&from=2020-01-01&to=2020-01-02")
    expect(page.get_by_role("main")).to_contain_text("No log records match")
    page.get_by_role("button", name="Live").click()
    expect(page.locator("#rows .record")).to_have_count(1)
    assert "from=now-15m" in page.url


def test_the_page_connects_again_when_the_api_restarts(browser, own_sheaf):
    doors = Doors(own_sheaf)
    page = browser.new_page()
    port = own_sheaf.environment["API_PORT"]
    page.goto(f"http://127.0.0.1:{port}/?workspace_id=live-again&live=1")
    status = page.locator("#live-status")
    expect(status).to_contain_text("Live")

    os.kill(own_sheaf.pids["api"], signal.SIGTERM)
    expect(status).to_contain_text("Reconnecting")
    expect(status).to_contain_text("Live")
    expect(status).to_contain_text("Some records may have been missed")

    doors.send("otlp", "live-again", ["after the restart"])
    expect(page.locator("#rows .record").first).to_contain_text("after the restart")
    page.close()
    doors.close()
