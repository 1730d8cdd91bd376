"""Signing in to the page in a real browser, with a key and at a real provider."""

import json

import pytest
import requests
from playwright.sync_api import expect

from tests.e2e.doors import Doors
from tests.glewlwyd import CLIENT_ID, CLIENT_SECRET, PASSWORD

pytestmark = pytest.mark.e2e

KEY = "sheaf_admin_key_of_this_test"


@pytest.fixture(scope="module")
def guarded(_launcher, sheaf_environment, provider, tmp_path_factory, wait_until):
    """A running system with keys, single sign-on, and a record in each of two workspaces."""
    folder = tmp_path_factory.mktemp("guarded")
    environment = sheaf_environment(
        folder,
        AUTH="keys",
        SHEAF_ADMIN_KEY=KEY,
        OIDC_ISSUER=provider.issuer,
        OIDC_CLIENT_ID=CLIENT_ID,
        OIDC_CLIENT_SECRET=CLIENT_SECRET,
        OIDC_SCOPES="openid",
        OIDC_ROLES="payments=read:payments",
    )
    callback = f"{home(environment)}sign-in/callback"
    provider.configure([callback], {"bob": ["payments"], "eve": []})
    with _launcher(folder, environment) as running:
        running.wait_until_ready()
        doors = Doors(running)
        for workspace in ("payments", "shop"):
            record = {"message": f"of {workspace}", "workspace_id": workspace}
            headers = {"Authorization": f"Bearer {KEY}", "X-Workspace-Id": workspace}
            status, _, content = doors.http(
                "/api/v1/ingest", json.dumps(record).encode(), **headers
            )
            assert status == 202, content
            wait_until(lambda workspace=workspace: doors.bodies(workspace).total() == 1)
        doors.close()
        yield running


@pytest.fixture
def page(browser, guarded):
    context = browser.new_context()
    opened = context.new_page()
    opened.goto(f"{home(guarded.environment)}?search=of")
    yield opened
    context.close()


def home(environment):
    return f"http://127.0.0.1:{environment['API_PORT']}/"


def sign_in_at_provider(page, name):
    page.get_by_role("link", name="Sign in with single sign-on").click()
    page.locator("#username").fill(name)
    page.locator("#password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Continue").click()


def records(page):
    return page.locator("#rows .record")


def test_a_user_of_a_group_sees_its_workspace_only_until_signing_out(page, guarded):
    sign_in_at_provider(page, "bob")
    expect(records(page)).to_have_count(1)
    expect(records(page)).to_contain_text("of payments")
    assert page.url.startswith(f"{home(guarded.environment)}?search=of")

    api = f"{home(guarded.environment)}api/v1/logs"
    found = page.request.get(api).text()
    assert "of payments" in found
    assert "of shop" not in found
    assert page.request.get(f"{api}?workspace_id=shop").status == 403

    admin = {"Authorization": f"Bearer {KEY}"}
    audit = f"{home(guarded.environment)}api/v1/audit?action=sign_in"
    acts = requests.get(audit, headers=admin, timeout=30).json()["acts"]
    assert ("Bob", "payments") in {(act["name"], act["workspace_id"]) for act in acts}

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Key")).to_be_visible()
    assert page.request.get(api).status == 401


def test_a_user_without_a_group_is_told_who_can_help(page):
    sign_in_at_provider(page, "eve")
    expect(page.get_by_role("alert")).to_contain_text("none of your groups may use Sheaf")


def test_a_key_signs_in_too(page):
    page.get_by_label("Key").fill("sheaf_wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("The key is not known.")
    page.get_by_label("Key").fill(KEY)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
