"""Dashboards in a real browser, over a running system."""

import json
import urllib.request

import pytest
from playwright.sync_api import expect

from tests.e2e.measure import box_of

pytestmark = pytest.mark.e2e

HOSTILE = '<img src=x onerror="window.hacked=1">'
RECORDS = [
    {"message": "order 1 is paid", "level": "info", "service": "shop"},
    {"message": "order 2 is refused", "level": "error", "service": "shop"},
    {"message": f"order 3 {HOSTILE}", "level": "error", "service": "mail"},
]
PANELS = [
    {"title": "Everything", "kind": "histogram", "query": {}, "width": 6, "height": 4},
    {"title": "Errors", "kind": "number", "query": {"q": "level:error"}, "width": 3, "height": 2},
    {"title": "By service", "kind": "top_values", "query": {"fields": ["service"]}, "width": 4},
    {"title": "Newest", "kind": "logs", "query": {"q": "order"}, "width": 12, "height": 6},
    {
        "title": "Requests",
        "kind": "metric",
        "query": {"metric": "shop.requests", "aggregation": "last", "by": ["service"]},
        "width": 6,
        "height": 6,
    },
    {
        "title": "Requests now",
        "kind": "metric_number",
        "query": {"metric": "shop.requests", "aggregation": "last"},
        "width": 3,
    },
]


class Workspace:
    """A workspace of one test, over the API."""

    def __init__(self, sheaf, name):
        self.name = name
        self._sheaf = sheaf
        self._api = f"http://127.0.0.1:{sheaf.environment['API_PORT']}/api/v1"
        self._door = f"http://127.0.0.1:{sheaf.environment['OTEL_HTTP_PORT']}"

    def beside(self, name):
        """Another workspace of the same system."""
        return Workspace(self._sheaf, name)

    def call(self, method, path, body=None):
        headers = {"Content-Type": "application/json", "X-Workspace-Id": self.name}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._api + path, data, headers, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def gauge(self, values, at_ns):
        """Send values of a gauge, a second apart."""
        points = [
            {"timeUnixNano": str(at_ns + number * 10**9), "asDouble": value}
            for number, value in enumerate(values)
        ]
        metrics = [{"name": "shop.requests", "unit": "1", "gauge": {"dataPoints": points}}]
        name = {"key": "service.name", "value": {"stringValue": "shop"}}
        resource = {"attributes": [name]}
        scopes = [{"scope": {}, "metrics": metrics}]
        body = {"resourceMetrics": [{"resource": resource, "scopeMetrics": scopes}]}
        headers = {"Content-Type": "application/json", "X-Workspace-Id": self.name}
        request = urllib.request.Request(
            f"{self._door}/v1/metrics", json.dumps(body).encode(), headers
        )
        with urllib.request.urlopen(request) as answer:
            assert answer.status == 200


@pytest.fixture
def workspace(sheaf, store, request):
    made = Workspace(sheaf, f"dash-{request.node.name[:60]}")
    store(made.name, RECORDS)
    return made


@pytest.fixture
def dashboard(workspace):
    """A saved dashboard with a panel of each kind that shows log records."""
    return workspace.call("POST", "/dashboards", {"name": "Shop", "panels": PANELS[:4]})


def opened(open_page, workspace, dashboard, more="", **options):
    path = f"/dashboards/{dashboard['id']}?workspace_id={workspace.name}{more}"
    return open_page(path, **options)


def panel(page, title):
    return page.get_by_role("region", name=title, exact=True)


def titles(page):
    return page.locator(".panel h2").all_inner_texts()


def saved_panels(workspace, dashboard):
    return workspace.call("GET", f"/dashboards/{dashboard['id']}")["panels"]


def test_a_dashboard_is_made_filled_saved_and_deleted(open_page, workspace):
    page = open_page(f"/dashboards?workspace_id={workspace.name}")
    expect(page.get_by_text("No dashboards yet.")).to_be_visible()
    page.get_by_label("Name of the new dashboard").fill(HOSTILE)
    page.get_by_role("button", name="New dashboard").click()
    page.get_by_role("button", name="Add panel").click()
    dialog = page.get_by_role("dialog", name="Add panel")
    dialog.get_by_label("Shows").select_option("number")
    dialog.get_by_label("Search").fill("level:error")
    dialog.get_by_label("Title").fill("Errors")
    dialog.get_by_role("button", name="Add").click()
    expect(panel(page, "Errors").locator(".single")).to_have_text("2")

    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("button", name="Save", exact=True)).to_have_count(0)
    page.reload()
    expect(panel(page, "Errors").locator(".single")).to_have_text("2")

    page.get_by_role("link", name="All dashboards").click()
    page.get_by_role("button", name=f"Delete {HOSTILE}").click()
    page.get_by_role("button", name=f"Yes, delete {HOSTILE}").click()
    expect(page.get_by_text("No dashboards yet.")).to_be_visible()


def test_panels_of_all_kinds_show_what_the_api_answers(open_page, workspace, wait_until):
    newest = workspace.call("GET", "/logs?limit=1")["logs"][0]["timestamp_ms"]
    workspace.gauge([3, 4, 5], newest * 10**6)
    wait_until(lambda: workspace.call("GET", "/metrics")["metrics"])
    made = workspace.call("POST", "/dashboards", {"name": "All kinds", "panels": PANELS})
    page = opened(open_page, workspace, made)

    chart = panel(page, "Everything").get_by_role("application")
    expect(chart).to_have_attribute("aria-label", "Everything: 3 records over time")
    expect(panel(page, "Errors").locator(".single")).to_have_text("2")
    by_service = panel(page, "By service").locator("tbody").get_by_role("row")
    expect(by_service).to_have_text(["shop2", "mail1"])
    expect(panel(page, "Newest").get_by_role("listitem")).to_have_count(3)
    expect(panel(page, "Newest")).to_contain_text(HOSTILE)
    expect(panel(page, "Requests").locator("canvas")).to_be_visible()
    expect(panel(page, "Requests")).to_contain_text("shop")
    expect(panel(page, "Requests now").locator(".single")).to_have_text("5")

    panel(page, "By service").get_by_role("link", name="mail").click()
    expect(page.locator("#rows .record")).to_have_count(1)
    page.go_back()
    panel(page, "Errors").get_by_role("link", name="Errors").click()
    expect(page.get_by_role("combobox", name="Search")).to_have_value("level:error")


def test_panels_are_moved_resized_edited_and_removed_and_nothing_is_kept_until_saved(
    open_page, workspace, dashboard
):
    page = opened(open_page, workspace, dashboard, "&edit=1")
    forward = page.get_by_role("button", name="Move Everything forward")
    forward.click()
    expect(forward).to_be_focused()
    page.get_by_role("button", name="Wider: Errors").click()
    page.get_by_role("button", name="Higher: Errors").click()
    page.get_by_role("button", name="Remove By service").click()
    page.get_by_role("button", name="Edit Errors").click()
    dialog = page.get_by_role("dialog", name="Edit panel")
    dialog.get_by_label("Search").fill("level:info")
    dialog.get_by_role("button", name="Apply").click()
    expect(panel(page, "Errors").locator(".single")).to_have_text("1")
    assert titles(page) == ["Errors", "Everything", "Newest"]
    assert saved_panels(workspace, dashboard) == dashboard["panels"]

    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("button", name="Save", exact=True)).to_have_count(0)
    found = saved_panels(workspace, dashboard)
    assert [each["title"] for each in found] == ["Errors", "Everything", "Newest"]
    assert (found[0]["width"], found[0]["height"]) == (4, 3)
    assert found[0]["query"] == {"q": "level:info"}


def test_changes_can_be_discarded(open_page, workspace, dashboard):
    page = opened(open_page, workspace, dashboard, "&edit=1")
    page.get_by_role("button", name="Remove Newest").click()
    expect(panel(page, "Newest")).to_have_count(0)
    page.get_by_role("button", name="Discard").click()
    expect(panel(page, "Newest")).to_be_visible()


def test_changes_are_not_left_without_a_question(open_page, workspace, dashboard):
    page = open_page(f"/dashboards?workspace_id={workspace.name}")
    page.get_by_role("link", name="Shop").click()
    page.get_by_role("button", name="Edit", exact=True).click()
    page.get_by_role("button", name="Remove Newest").click()
    here, asked = page.url, []

    def answer(dialog):
        asked.append(dialog.message)
        if len(asked) <= 3:
            dialog.dismiss()
        else:
            dialog.accept()

    page.on("dialog", answer)
    page.get_by_role("link", name="All dashboards").click()
    with page.expect_event("dialog"):
        page.evaluate("history.back()")
    expect(page).to_have_url(here)
    page.get_by_label("Workspace").fill("elsewhere")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Workspace")).to_have_value(workspace.name)
    assert len(asked) == 3
    assert "not saved" in asked[0]
    assert page.url == here
    assert titles(page) == ["Everything", "Errors", "By service"]

    page.evaluate("history.back()")
    expect(page.get_by_role("button", name="New dashboard")).to_be_visible()
    assert len(asked) == 4
    page.get_by_role("link", name="Shop").click()
    expect(panel(page, "Newest")).to_be_visible()
    assert len(asked) == 4
    assert saved_panels(workspace, dashboard) == dashboard["panels"]


def test_another_workspace_shows_its_own_dashboards(open_page, workspace, dashboard):
    page = opened(open_page, workspace, dashboard)
    expect(panel(page, "Errors").locator(".single")).to_have_text("2")
    page.get_by_label("Workspace").fill(f"{workspace.name}-2")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No dashboards yet.")).to_be_visible()
    assert f"/dashboards?workspace_id={workspace.name}-2" in page.url


def test_a_conflict_is_told_and_both_versions_can_be_kept(open_page, workspace, dashboard):
    page = opened(open_page, workspace, dashboard, "&edit=1", refused=[409])
    page.get_by_role("button", name="Remove Newest").click()
    workspace.call("PUT", f"/dashboards/{dashboard['id']}", {**dashboard, "name": "Theirs"})
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("has been changed")

    page.get_by_role("button", name="Save mine as a copy").click()
    expect(page.get_by_label("Name of the dashboard")).to_have_count(0)
    expect(page.locator(".dashboard-name")).to_have_text("Shop (copy)")
    names = [each["name"] for each in workspace.call("GET", "/dashboards")["dashboards"]]
    assert names == ["Shop (copy)", "Theirs"]


def test_a_conflict_can_be_overwritten(open_page, workspace, dashboard):
    page = opened(open_page, workspace, dashboard, "&edit=1", refused=[409])
    page.get_by_role("button", name="Remove Newest").click()
    workspace.call("PUT", f"/dashboards/{dashboard['id']}", {**dashboard, "name": "Theirs"})
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("button", name="Replace theirs with mine").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    found = workspace.call("GET", f"/dashboards/{dashboard['id']}")
    assert (found["name"], len(found["panels"])) == ("Shop", 3)


def test_all_panels_share_the_time_range_of_the_address(open_page, workspace, dashboard):
    page = opened(open_page, workspace, dashboard, "&from=2020-01-01&to=2020-01-02")
    expect(panel(page, "Errors").locator(".single")).to_have_text("0")
    expect(panel(page, "Newest")).to_contain_text("Nothing in this time range.")
    page.get_by_role("button", name="Time range").click()
    page.get_by_role("button", name="Last 15 minutes").click()
    expect(panel(page, "Errors").locator(".single")).to_have_text("2")
    expect(panel(page, "Newest").get_by_role("listitem")).to_have_count(3)


def test_it_refreshes_itself(open_page, workspace, dashboard, store):
    page = opened(open_page, workspace, dashboard)
    expect(panel(page, "Errors").locator(".single")).to_have_text("2")
    page.get_by_label("Refresh").select_option("Every 10 s")
    store(workspace.name, [RECORDS[1] | {"message": "order 4 is refused"}])
    expect(panel(page, "Errors").locator(".single")).to_have_text("3")
    assert "refresh=10s" in page.url


def test_a_dashboard_is_exported_and_imported_elsewhere(open_page, workspace, dashboard, tmp_path):
    page = open_page(f"/dashboards?workspace_id={workspace.name}")
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Export Shop as JSON").click()
    path = tmp_path / downloading.value.suggested_filename
    downloading.value.save_as(path)
    assert path.name == "shop.json"

    page.get_by_label("Workspace").fill(f"{workspace.name}-2")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No dashboards yet.")).to_be_visible()
    page.locator("input[type=file]").set_input_files(path)
    expect(page.get_by_role("link", name="Shop")).to_be_visible()
    other = workspace.beside(f"{workspace.name}-2")
    [made] = other.call("GET", "/dashboards")["dashboards"]
    assert other.call("GET", f"/dashboards/{made['id']}")["panels"] == dashboard["panels"]


def test_a_file_that_is_no_dashboard_is_refused_with_the_reason(open_page, workspace, tmp_path):
    page = open_page(f"/dashboards?workspace_id={workspace.name}", refused=[422])
    wrong = tmp_path / "wrong.json"
    for text, reason in (("{", "is not a JSON file"), ('{"panels": []}', "name")):
        wrong.write_text(text, encoding="utf-8")
        page.locator("input[type=file]").set_input_files(wrong)
        expect(page.get_by_role("alert")).to_contain_text(reason)


def test_what_the_log_view_shows_is_pinned(open_page, workspace, dashboard):
    page = open_page(f"/?workspace_id={workspace.name}&q=level:error")
    expect(page.locator("#rows .record")).to_have_count(2)
    page.get_by_role("button", name="Pin", exact=True).click()
    page.get_by_role("button", name="Shop", exact=True).click()
    page.get_by_role("link", name="Shop").click()
    expect(panel(page, "level:error").get_by_role("application")).to_have_attribute(
        "aria-label", "level:error: 2 records over time"
    )
    assert len(saved_panels(workspace, dashboard)) == 5


def test_panels_are_one_below_the_other_on_a_phone(open_page, workspace, dashboard):
    size = {"width": 390, "height": 800}
    page = opened(open_page, workspace, dashboard, viewport=size)
    expect(panel(page, "Errors").locator(".single")).to_have_text("2")
    boxes = [box_of(each) for each in page.locator(".panel").all()]
    assert {box["x"] for box in boxes} == {boxes[0]["x"]}
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
