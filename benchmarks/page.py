"""Measures the page in a browser, over ten million log records.

    python benchmarks/page.py [--records 10000000] [--rows 100000] [--live-minutes 10]

Sheaf as `make run` starts it, with the API. Prints how long it takes, from opening the page, to the
first paint, the first records, the histogram and the fields, with an empty cache and with a full
one (medians of `--repeats`), and what is transferred; then, for a list that is scrolled through
so many rows, the elements in it, the frames and the heap; then the heap for each minute of live
tail at a thousand records a second. Needs `chromium`.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import otlp_requests
from grpc_load import EXPORT, Connection
from live import WithApi
from playwright.sync_api import Browser, Page, sync_playwright
from queries import fill, merge

from config.settings import Settings
from storage.clickhouse.client import Clickhouse
from storage.time_range import TimeRange

_DAY_NS = 86_400 * 10**9
_READY = {
    "first records": "#rows .record",
    "histogram": "#total",
    "fields": "#fields meter",
}
_WATCH = """
(watched) => {
  window.found = {};
  const look = () => {
    for (const [name, selector] of Object.entries(watched)) {
      if (!(name in window.found) && document.querySelector(selector)) {
        window.found[name] = performance.now();
      }
    }
  };
  new MutationObserver(look).observe(document, { childList: true, subtree: true });
}
"""
_TIMES = """
() => ({
  ...Object.fromEntries(performance.getEntriesByType("paint")
    .map((each) => [each.name, each.startTime])),
  ...window.found,
  kB: performance.getEntriesByType("resource").filter(({ name }) => !name.includes("/api/"))
    .reduce((sum, each) => sum + each.transferSize, 0) / 1000,
})
"""
_SCROLL = """
async (rows) => {
  const box = document.querySelector("#rows"), frames = [];
  const height = document.querySelector("#rows .record").getBoundingClientRect().height;
  let elements = 0, last = performance.now();
  while (box.scrollTop < rows * height) {
    const before = box.scrollTop;
    box.scrollTop += 2500;
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    frames.push(now - last);
    last = now;
    elements = Math.max(elements, box.querySelectorAll("*").length);
    if (box.scrollTop === before) await new Promise((done) => setTimeout(done, 20));
  }
  frames.sort((one, other) => one - other);
  const at = (share) => frames[Math.floor(share * (frames.length - 1))];
  return { elements, median: at(0.5), p95: at(0.95), most: at(1), frames: frames.length };
}
"""


def main() -> None:
    """Fill, open, scroll, watch."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--live-minutes", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sheaf = WithApi(Path(folder))
        try:
            _fill(sheaf, options.records)
            address = f"http://127.0.0.1:{sheaf.api_port}/"
            with _browser() as browser:
                _open(browser, address, options.repeats)
                _scroll(browser, address, options.rows)
                _watch_live(browser, address, sheaf.grpc_port, options.live_minutes)
        finally:
            sheaf.stop()


def _fill(sheaf: WithApi, records: int) -> None:
    clickhouse = Clickhouse(
        Settings(clickhouse_port=sheaf.native_port, clickhouse_host="127.0.0.1")
    )
    last = time.time_ns()
    fill(clickhouse, records, TimeRange(last - _DAY_NS, last))
    merge(clickhouse)


@contextmanager
def _browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--enable-precise-memory-info"],
        )
        yield browser
        browser.close()


def _open(browser: Browser, address: str, repeats: int) -> None:
    for cache in ("empty", "full"):
        found: dict[str, list[float]] = {}
        context = browser.new_context()
        for _ in range(repeats):
            if cache == "empty":
                context.close()
                context = browser.new_context()
            page = context.new_page()
            page.add_init_script(f"({_WATCH})({_READY!r})")
            page.goto(f"{address}?workspace_id=default&from=now-24h")
            for selector in _READY.values():
                page.wait_for_selector(selector)
            for name, value in page.evaluate(_TIMES).items():
                found.setdefault(name, []).append(value)
            page.close()
        context.close()
        if cache == "full":
            found = {name: values[1:] for name, values in found.items()}
        texts = (f"{name} {statistics.median(values):.0f}" for name, values in found.items())
        print(f"Cache {cache}, milliseconds since the page was asked for: {', '.join(texts)}")


def _heap_mb(page: Page) -> float:
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    session.detach()
    return float(page.evaluate("performance.memory.usedJSHeapSize")) / 1e6


def _scroll(browser: Browser, address: str, rows: int) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 860})
    page.goto(f"{address}?workspace_id=default&from=now-24h")
    page.wait_for_selector(_READY["first records"])
    page.set_default_timeout(0)
    found = page.evaluate(_SCROLL, rows)
    print(
        f"{rows:,} rows scrolled: {found['elements']} elements in the list; "
        f"{found['frames']} frames, median {found['median']:.0f} ms, "
        f"p95 {found['p95']:.0f}, longest {found['most']:.0f}; "
        f"heap {_heap_mb(page):.0f} MB"
    )
    page.close()


def _watch_live(browser: Browser, address: str, port: int, minutes: int) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 860})
    page.goto(f"{address}?workspace_id=workspace-0&from=now-15m&live=1")
    page.wait_for_selector("text=Live")
    made, made_at = otlp_requests.make(1, 1000)[0], time.time()
    connection = Connection(port, EXPORT)
    try:
        for minute in range(minutes):
            end = time.monotonic() + 60
            while time.monotonic() < end:
                due = time.monotonic() + 1
                connection.run([otlp_requests.later(made, round(time.time() - made_at))], 1)
                time.sleep(max(0, due - time.monotonic()))
            heap = _heap_mb(page)
            shown = page.locator("#rows .record").count()
            print(f"Live, minute {minute + 1}: heap {heap:.1f} MB, {shown} rows in the document")
    finally:
        connection.close()
    page.close()


if __name__ == "__main__":
    main()
