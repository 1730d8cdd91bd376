"""Takes the pictures of the documentation: `python -m tests.screenshots http://localhost:8000`.

Loads the sample data into the workspace `demo` of a running Sheaf, if it is empty, and takes each
view in light and dark.
"""

import json
import shutil
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).parents[1] / "docs" / "images"
WORKSPACE = "demo"
SIZE = {"width": 1280, "height": 820}


def logs(page: Page) -> None:
    page.locator("#rows .record").first.wait_for()


def changes(page: Page) -> None:
    logs(page)
    page.get_by_role("button", name="Last 10 min. against the hour before").click()
    page.locator(".changes li").first.wait_for()


def record(page: Page) -> None:
    logs(page)
    page.locator("#rows .record").first.click()


def patterns(page: Page) -> None:
    page.locator("#pattern-list li").first.wait_for()


def trace(page: Page) -> None:
    page.locator("a[href^='/traces/']").first.click()
    page.get_by_role("button", name="Download as HTML").wait_for()


def nothing(_: Page) -> None:
    """A view that needs no preparation."""


VIEWS = {
    "logs": ("/", logs),
    "changes": ("/", changes),
    "record": ("/?q=level:error service:payment", record),
    "patterns": ("/?view=patterns", patterns),
    "traces": ("/traces", nothing),
    "trace": ("/traces?q=status:error&sort=duration", trace),
    "services": ("/services", nothing),
    "metrics": ("/metric-explorer", nothing),
    "status": ("/status", nothing),
}
"""The pictures: each view's address, and what is done before the picture is taken."""


def load_sample(address: str) -> None:
    """Load the sample data, and wait until it is stored."""
    body = json.dumps({"workspace_id": WORKSPACE}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{address}/api/v1/sample-data", body, headers)
    try:
        with urllib.request.urlopen(request) as answer:
            job = json.load(answer)["job"]
    except urllib.error.HTTPError as error:
        if error.code != 409:
            raise
        return
    while job["state"] not in {"done", "failed"}:
        time.sleep(1)
        path = f"{address}/api/v1/jobs/{job['id']}?workspace_id={WORKSPACE}"
        with urllib.request.urlopen(path) as answer:
            job = json.load(answer)["job"]


def main(address: str) -> None:
    load_sample(address)
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for scheme in ("light", "dark"):
            for name, (path, prepare) in VIEWS.items():
                page = browser.new_page(viewport=SIZE, color_scheme=scheme)
                mark = "&" if "?" in path else "?"
                page.goto(f"{address}{path}{mark}workspace_id={WORKSPACE}")
                prepare(page)
                page.wait_for_load_state("networkidle")
                page.wait_for_timeout(500)
                page.screenshot(path=FOLDER / f"{name}-{scheme}.png")
                page.close()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
