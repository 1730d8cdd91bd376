"""First use in a real browser: snippets and sample data; saved searches and exports."""

import json
import re
import shlex
import subprocess
import urllib.request

import pytest
from playwright.sync_api import expect

SOME_THOUSANDS = re.compile(r"^([5-9]|\d\d),\d{3}$")

pytestmark = pytest.mark.e2e

RECORDS = [
    {"message": f"order {number} is paid", "level": "info", "service": "shop"}
    for number in range(9)
]
HOSTILE = '<img src=x onerror="window.hacked=1">'


def first_steps(page):
    return page.get_by_role("region", name="First steps")


def rows(page):
    return page.locator("#rows .record")


def test_an_empty_workspace_waits_for_the_record_that_the_shown_command_sends(
    open_page, require, sheaf
):
    require("curl")
    page = open_page("/?workspace_id=first-curl")
    shown = first_steps(page)
    expect(shown.get_by_role("status")).to_have_text("Waiting for the first record…")
    command = shown.locator("pre").inner_text()
    assert f"127.0.0.1:{sheaf.environment['OTEL_HTTP_PORT']}/" in command

    # Exactly what is shown, as a shell would read it.
    sent = subprocess.run(
        [*shlex.split(command.replace("\\\n", "")), "--silent", "--fail"], check=False
    )
    assert sent.returncode == 0
    expect(rows(page)).to_have_count(1)
    expect(rows(page)).to_contain_text("Hello, Sheaf")
    expect(shown).to_have_count(0)


def test_snippets_name_the_doors_of_this_system_and_the_workspace(open_page, sheaf):
    page = open_page("/?workspace_id=first-snippets")
    shown = first_steps(page)
    grpc, http = (sheaf.environment[name] for name in ("OTEL_GRPC_PORT", "OTEL_HTTP_PORT"))
    expected = {
        "Python": [f"http://127.0.0.1:{grpc}", "x-workspace-id=first-snippets"],
        "Node.js": [f"http://127.0.0.1:{http}", "x-workspace-id=first-snippets"],
        "Collector": [f"endpoint: 127.0.0.1:{grpc}", 'x-workspace-id: "first-snippets"'],
    }
    for name, texts in expected.items():
        shown.get_by_role("button", name=name).click()
        for text in texts:
            expect(shown.locator("pre")).to_contain_text(text)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    shown.get_by_role("button", name="Copy").click()
    expect(shown.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == shown.locator("pre").inner_text()


def test_sample_data_is_loaded_with_one_click_and_its_incident_can_be_found(open_page, sheaf):
    page = open_page("/?workspace_id=first-sample")
    first_steps(page).get_by_role("button", name="Load sample data").click()
    expect(rows(page).first).to_be_visible(timeout=90_000)
    expect(page.locator("#total")).to_have_text(SOME_THOUSANDS)

    page.get_by_role("combobox", name="Search").fill("service:payment level:>=error")
    page.keyboard.press("Enter")
    expect(rows(page).first).to_contain_text("pool exhausted: 2 of 2 connections in use")

    again = urllib.request.Request(
        f"http://127.0.0.1:{sheaf.environment['API_PORT']}/api/v1/sample-data",
        b'{"workspace_id": "first-sample"}',
        {"Content-Type": "application/json"},
    )
    with pytest.raises(urllib.error.HTTPError, match="409"):
        urllib.request.urlopen(again)


@pytest.fixture
def page(open_page, store, request):
    """The log view over a workspace of the test's own."""
    workspace = f"use-{request.node.name[:60]}"
    store(workspace, RECORDS)
    opened = open_page(f"/?workspace_id={workspace}")
    expect(rows(opened)).to_have_count(len(RECORDS))
    return opened


def ask(page, text):
    page.get_by_role("combobox", name="Search").fill(text)
    page.keyboard.press("Enter")


def test_a_search_is_saved_opened_renamed_and_deleted(page):
    ask(page, '"order 3"')
    expect(rows(page)).to_have_count(1)
    page.get_by_role("button", name="Saved", exact=True).click()
    page.get_by_label("Name", exact=True).fill(HOSTILE)
    page.get_by_role("button", name="Save this search").click()
    expect(page.get_by_role("button", name=f"Delete {HOSTILE}")).to_be_visible()
    page.keyboard.press("Escape")

    ask(page, "")
    expect(rows(page)).to_have_count(len(RECORDS))
    page.reload()
    page.get_by_role("button", name="Saved", exact=True).click()
    page.locator(".saved .quiet").click()
    expect(rows(page)).to_have_count(1)
    expect(page.get_by_role("combobox", name="Search")).to_have_value('"order 3"')

    page.get_by_role("button", name="Saved", exact=True).click()
    page.get_by_role("button", name=f"Rename {HOSTILE}").click()
    page.get_by_label(f"New name of {HOSTILE}").fill("The third")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Delete The third").click()
    expect(page.get_by_text("None in this workspace yet.")).to_be_visible()


def test_a_download_has_all_records_of_the_search(page):
    page.get_by_role("button", name="Export", exact=True).click()
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download").click()
    lines = downloading.value.path().read_text(encoding="utf-8").splitlines()
    assert sorted(json.loads(line)["body"] for line in lines) == [
        record["message"] for record in RECORDS
    ]


def test_a_file_is_written_on_the_server_and_can_be_downloaded(page):
    page.get_by_role("button", name="Export", exact=True).click()
    page.get_by_label("CSV").check()
    page.get_by_role("button", name="Write a file on the server").click()
    link = page.get_by_role("link", name="Download")
    expect(link).to_be_visible()
    expect(page.locator(".export-job")).to_contain_text(f"{len(RECORDS)} records")
    with page.expect_download() as downloading:
        link.click()
    assert downloading.value.suggested_filename.endswith(".csv")
    lines = downloading.value.path().read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + len(RECORDS)
