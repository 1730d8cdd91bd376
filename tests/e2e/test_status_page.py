"""The page's status in a real browser, over a running system."""

import csv
import io
import json
import re
import urllib.error
import urllib.parse
import urllib.request

import pytest
from playwright.sync_api import expect

from config.settings import Settings
from ledger.ledger import Entry, Ledger
from tests.e2e.doors import NDJSON, Doors
from tests.integration.made_logs import new_chunk

pytestmark = pytest.mark.e2e

WORKSPACE = "status-page"
ADMIN = "sheaf_admin_key_of_the_status"
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def doors(sheaf):
    opened = Doors(sheaf)
    yield opened
    opened.close()


def send(doors, count, workspace=WORKSPACE):
    """Send records, and return the receipt."""
    lines = "\n".join(json.dumps({"message": f"line {number}"}) for number in range(count))
    status, _, content = doors.http(
        "/api/v1/ingest", lines.encode(), NDJSON, X_Workspace_Id=workspace
    )
    assert status == 202, content
    return json.loads(content)["receipt"]


def home(sheaf):
    return f"http://127.0.0.1:{sheaf.environment['API_PORT']}"


def api(sheaf, path, body=None, method=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    made = urllib.request.Request(f"{home(sheaf)}/api/v1{path}", data, method=method)
    for name, value in {"Content-Type": "application/json", **headers}.items():
        made.add_header(name, value)
    with urllib.request.urlopen(made) as answer:
        return json.load(answer)


@pytest.fixture
def open_page(browser, sheaf):
    """Open the status of a workspace. It may not load from elsewhere, nor write to the console."""
    problems, requests, context = [], [], browser.new_context()

    def opened(workspace=WORKSPACE, more=""):
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(f"{home(sheaf)}/status?workspace_id={workspace}{more}")
        return page

    yield opened

    context.close()
    assert [text for text in problems if "status of 404" not in text] == []
    assert [url for url in requests if not url.startswith(home(sheaf))] == []


def part(page, title):
    return page.get_by_role("region", name=title)


def figure(page, title, name):
    found = part(page, title).locator(".figure").filter(has=page.get_by_text(name, exact=True))
    return found.locator("dd")


@pytest.fixture
def dead_letter(sheaf, wait_until):
    """Put a chunk that cannot be decoded into the ledger of the running system."""
    settings = Settings(**{name.lower(): value for name, value in _ports(sheaf).items()})
    ledger, workspaces = Ledger(settings), set()

    def make(workspace, content=b"\xff\xff\xff\xff"):
        workspaces.add(workspace)
        chunk = new_chunk(content, 3, workspace=workspace)
        ledger.accept([Entry(chunk, (f"request of {chunk.header.id}",))])

        def is_dead():
            letters = api(sheaf, f"/dead-letters?workspace_id={workspace}")["dead_letters"]
            return any(letter["id"] == chunk.header.id for letter in letters)

        wait_until(is_dead)
        return chunk.header.id

    yield make

    for workspace in workspaces:
        for letter in api(sheaf, f"/dead-letters?workspace_id={workspace}")["dead_letters"]:
            path = f"/dead-letters/{letter['id']}?workspace_id={workspace}"
            api(sheaf, path, method="DELETE")
    ledger.close()


def _ports(sheaf):
    names = ("VALKEY_PORT", "CLICKHOUSE_PORT", "CLICKHOUSE_HTTP_PORT", "DATA_DIR")
    return {name: sheaf.environment[name] for name in names}


def test_accepted_and_stored_records_are_seen_as_they_arrive(open_page, doors):
    page = open_page()
    expect(part(page, "Stored exactly once")).to_contain_text("Intake works.")
    expect(figure(page, "Stored exactly once", "Accepted")).to_have_text("0")
    send(doors, 40)
    expect(figure(page, "Stored exactly once", "Accepted")).not_to_have_text("0")
    accepted = figure(page, "Stored exactly once", "Accepted").inner_text()
    assert int(accepted.replace(",", "")) >= 40
    expect(figure(page, "Stored exactly once", f"Stored today in {WORKSPACE}")).to_have_text("40")
    expect(figure(page, "Stored exactly once", "Stored")).to_have_text(
        figure(page, "Stored exactly once", "Accepted").inner_text()
    )
    chart = part(page, "Stored exactly once").locator(".plot")
    expect(chart).to_have_attribute("aria-label", re.compile("2 series"))
    expect(part(page, "Batches").locator("tbody tr").first).to_contain_text("logs")
    expect(part(page, "Workers").locator("tbody")).to_contain_text("sheaf.store")
    expect(part(page, "Disk and memory").locator("tbody")).to_contain_text("otel_logs")


def test_nothing_is_asked_while_the_tab_is_hidden(open_page):
    page = open_page()
    expect(part(page, "Stored exactly once")).to_contain_text("Intake works.")
    hide = """hidden => {
      Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    }"""
    page.evaluate(hide, True)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    # As long as it takes to ask twice, and the last answers may still be on their way.
    page.wait_for_timeout(5000)
    assert [url for url in asked if "/status" in url] == []
    with page.expect_request(lambda request: "/api/v1/status" in request.url):
        page.evaluate(hide, False)


def test_a_dead_letter_says_why_and_is_dropped_after_a_question(open_page, dead_letter, sheaf):
    workspace = "status-drop"
    dead_letter(workspace)
    page = open_page(workspace)
    letters = part(page, "Dead letters")
    [reason] = [each["reason"] for each in _letters(sheaf, workspace)]
    row = letters.locator("tbody tr")
    expect(row).to_contain_text(reason[:40])
    row.get_by_role("button", expanded=False).click()
    expect(letters).to_contain_text("cannot be decoded")

    letters.get_by_role("button", name="Drop 3 records of logs").click()
    cancel = letters.get_by_role("button", name="Cancel")
    expect(cancel).to_be_focused()
    cancel.click()
    assert len(_letters(sheaf, workspace)) == 1
    drop = letters.get_by_role("button", name="Drop 3 records of logs")
    expect(drop).to_be_focused()
    drop.click()
    letters.get_by_role("button", name="Drop", exact=True).click()
    expect(letters).to_contain_text("3 records of logs were dropped.")
    expect(letters).to_contain_text("None: every chunk could be stored.")
    assert _letters(sheaf, workspace) == []


def _letters(sheaf, workspace):
    return api(sheaf, f"/dead-letters?workspace_id={workspace}")["dead_letters"]


def test_dead_letters_are_filtered_and_replayed(open_page, dead_letter, wait_until, sheaf):
    workspace = "status-replay"
    dead_letter(workspace)
    first = _letters(sheaf, workspace)[0]["buried_ms"]
    page = open_page(workspace)
    letters = part(page, "Dead letters")
    letters.get_by_label("Filter dead letters by reason").fill("no such reason")
    expect(letters).to_contain_text("No dead letter has this in its reason.")
    letters.get_by_label("Filter dead letters by reason").fill("")

    letters.get_by_role("button", name="Replay 3 records of logs").click()
    expect(letters).to_contain_text("3 records of logs will be stored again.")
    # It cannot be decoded the second time either.
    wait_until(lambda: [each["buried_ms"] > first for each in _letters(sheaf, workspace)] == [True])
    second = _letters(sheaf, workspace)[0]["buried_ms"]

    letters.get_by_role("button", name="Replay all").click()
    expect(letters).to_contain_text("A job replays them.")
    jobs = part(page, "Jobs").locator("tbody tr")
    expect(jobs).to_contain_text("Replay dead letters")
    expect(jobs).to_contain_text("done")
    wait_until(
        lambda: [each["buried_ms"] > second for each in _letters(sheaf, workspace)] == [True]
    )


def test_a_dead_letter_of_the_default_workspace_is_replayed(open_page, dead_letter):
    dead_letter("default")
    page = open_page("")
    letters = part(page, "Dead letters")
    letters.get_by_role("button", name="Replay 3 records of logs").click()
    expect(letters).to_contain_text("3 records of logs will be stored again.")


def test_a_job_shows_its_progress_to_the_end(open_page, doors, sheaf, wait_until):
    workspace = "status-jobs"
    receipt = send(doors, 25, workspace)
    wait_until(lambda: doors.stored(receipt))
    page = open_page(workspace)
    expect(part(page, "Jobs")).to_contain_text("None yet.")
    api(sheaf, "/jobs/export", {"workspace_id": workspace})
    row = part(page, "Jobs").locator("tbody tr")
    expect(row).to_contain_text("Export")
    expect(row.locator(".state")).to_have_text("done")
    expect(row).to_contain_text("25 of 25")
    with page.expect_download() as started:
        row.get_by_role("link", name="Download").click()
    lines = started.value.path().read_text(encoding="utf-8").splitlines()
    found = {json.loads(line)["body"] for line in lines}
    assert found == {f"line {number}" for number in range(25)}


def test_retention_is_shown_and_changed_and_set_back(open_page, sheaf):
    workspace = "status-retention"
    page = open_page(workspace)
    days = part(page, "Retention").get_by_label("Days to keep: Log records")
    expect(days).to_have_value("")
    days.fill("7")
    days.press("Enter")
    expect(part(page, "Retention")).to_contain_text("Saved.")
    expect(part(page, "Retention").locator("tbody tr").first).to_contain_text("7 days")
    assert api(sheaf, f"/retention?workspace_id={workspace}")["own"] == {"logs": 7}
    days.fill("")
    part(page, "Retention").get_by_role("button", name="Save").click()
    expect(part(page, "Retention").locator("tbody tr").first).not_to_contain_text("7 days")
    assert api(sheaf, f"/retention?workspace_id={workspace}")["own"] == {}


def test_a_receipt_says_that_its_records_are_stored(open_page, doors, wait_until):
    receipt = send(doors, 5, "status-receipt")
    wait_until(lambda: doors.stored(receipt))
    page = open_page("status-receipt")
    box = part(page, "Receipt").get_by_label("Receipt", exact=True)
    box.fill(receipt)
    box.press("Enter")
    expect(part(page, "Receipt")).to_contain_text("All of it is stored.")
    assert f"receipt={receipt}" in page.url
    page.reload()
    expect(part(page, "Receipt")).to_contain_text("All of it is stored.")

    box.fill("no-such-receipt")
    part(page, "Receipt").get_by_role("button", name="Look up").click()
    expect(part(page, "Receipt").get_by_role("alert")).to_contain_text("no such receipt")
    expect(part(page, "Receipt")).not_to_contain_text("All of it is stored.")


def test_usage_is_shown_by_day_and_downloaded_as_csv(open_page, doors, wait_until):
    workspace = "status-usage"
    receipt = send(doors, 12, workspace)
    wait_until(lambda: doors.stored(receipt))
    page = open_page(workspace)
    cells = part(page, "Usage in 30 days").locator("tbody td")
    expect(cells.nth(1)).to_have_text("12")
    with page.expect_download() as started:
        part(page, "Usage in 30 days").get_by_role("link", name="CSV").click()
    [row] = csv.DictReader(io.StringIO(started.value.path().read_text(encoding="utf-8")))
    assert (row["workspace_id"], row["records"]) == (workspace, "12")


def test_a_hostile_receipt_is_text(open_page):
    page = open_page(more=f"&receipt={urllib.parse.quote(HOSTILE)}")
    expect(part(page, "Receipt").get_by_role("alert")).to_contain_text("no such receipt")
    expect(part(page, "Receipt").get_by_label("Receipt", exact=True)).to_have_value(HOSTILE)
    assert page.locator("main img").count() == 0


@pytest.fixture(scope="module")
def guarded(_launcher, sheaf_environment, tmp_path_factory):
    """A running system with keys."""
    folder = tmp_path_factory.mktemp("guarded-status")
    environment = sheaf_environment(folder, AUTH="keys", SHEAF_ADMIN_KEY=ADMIN)
    with _launcher(folder, environment) as running:
        running.wait_until_ready()
        yield running


def is_known(system, header):
    """Whether the API knows the key already: a new one takes some seconds."""
    try:
        api(system, "/logs?limit=1", **header)
    except urllib.error.HTTPError:
        return False
    return True


@pytest.fixture
def page_with_key(browser, guarded, wait_until):
    """Open the status with a new key."""
    contexts = []

    def opened(**about):
        body = {"name": "status", "scopes": ["read"], **about}
        made = api(guarded, "/keys", body, Authorization=f"Bearer {ADMIN}")
        header = {"Authorization": f"Bearer {made['token']}"}
        wait_until(lambda: is_known(guarded, header))
        contexts.append(browser.new_context(extra_http_headers=header))
        page = contexts[-1].new_page()
        page.goto(f"{home(guarded)}/status")
        return page

    yield opened
    for context in contexts:
        context.close()


def test_a_key_of_a_workspace_sees_its_own_records_and_not_the_system(page_with_key):
    page = page_with_key(workspace_id="mine")
    expect(part(page, "Stored exactly once")).to_contain_text("Stored today in mine")
    expect(part(page, "Stored exactly once")).to_contain_text("You may see this workspace only.")
    expect(part(page, "Dead letters")).to_contain_text("None")
    expect(part(page, "Workers")).to_have_count(0)
    expect(part(page, "Disk and memory")).to_have_count(0)

    part(page, "Retention").get_by_role("button", name="Save").click()
    expect(part(page, "Retention").get_by_role("alert")).to_contain_text("admin")


def test_what_a_key_may_not_see_says_so_and_the_rest_works(page_with_key):
    page = page_with_key(workspace_id="mine", client_id="web")
    for title in ("Jobs", "Retention"):
        expect(part(page, title)).to_contain_text("Not shown:")
        expect(part(page, title)).to_contain_text("bound to web")
    expect(part(page, "Dead letters")).to_contain_text("None")
    expect(part(page, "Usage in 30 days")).to_contain_text("Nothing was sent")
    expect(part(page, "Stored exactly once")).to_contain_text("Stored today in mine")
