// The waterfall of one or more traces, with its controls.

import { byId } from "../../dom.js";
import { showDetails } from "./details.js";
import { showLegend, showSummary } from "./head.js";
import { listenToKeys } from "./keys.js";
import { Page } from "./page.js";
import { chooseByDragging, moveDivider, zoomByWheel } from "./pointer.js";
import { Search } from "./search.js";
import { makeParts } from "./shell.js";

const ZOOM_STEP = 1.6;

/** Fill an element of the document, which may have one viewer.
 *
 * `content` is as `page_content` (gantt/content.py) makes it. The document has an element `#summary`.
 * `onSelect(item)` is called when another item is selected, with null when the details are closed;
 * `extras` adds to the details, see details.js.
 */
export class Viewer {
  constructor(root, content, { onSelect = () => {}, extras = {} } = {}) {
    makeParts(root);
    this.onSelect = onSelect;
    this.extras = extras;
    this.page = new Page(content);
    this.search = new Search(this.page, (item) => this.select(item));
    this.ending = new AbortController();
    showSummary(this.page.traces);
    showLegend(content.services, (name) => this.search.find(name));
    this.listenToButtons();
    this.listenToSearch();
    this.listenToRows(byId("tree"));
    this.listenToTime();
    listenToKeys(this.page, byId("tree"), {
      select: (item) => this.select(item), zoom: (item) => this.zoomTo(item), dismiss: () => this.dismiss(),
      open: (item) => { this.open(item); byId("details-name").focus(); },
    }, this.ending.signal);
  }

  /** Stop listening to what is outside of the root. */
  end() {
    this.ending.abort();
    this.page.end();
    this.sizes.disconnect();
  }

  select(item) {
    this.page.select(item);
    this.onSelect(item);
    if (!byId("details").hidden) showDetails(item, this.page.content, (next) => this.select(next), this.extras);
  }

  /** Select an item and show its details. */
  open(item) {
    byId("details").hidden = false;
    this.select(item);
  }

  close() {
    byId("details").hidden = true;
    byId("tree").focus();
    this.onSelect(null);
  }

  dismiss() {
    if (!byId("details").hidden) this.close();
    else this.search.find("");
  }

  /** Zoom to an item; for a log record, which has no duration, to its span. */
  zoomTo(item) {
    this.page.range.around(...this.page.timeOf(item.kind === "log" ? item.parent : item));
  }

  listenToButtons() {
    const { page, search } = this;
    const clicks = {
      previous: () => search.go(-1), next: () => search.go(1), error: () => search.goToError(),
      collapse: () => page.collapseAll(), expand: () => page.expandAll(),
      in: () => page.range.zoom(1 / ZOOM_STEP), out: () => page.range.zoom(ZOOM_STEP), fit: () => page.range.fit(),
      close: () => this.close(), keys: () => byId("help").showModal(),
    };
    for (const [id, act] of Object.entries(clicks)) byId(id).addEventListener("click", act);
    letToggle("logs", () => page.withLogs, (on) => page.show("withLogs", on));
    letToggle("critical", () => page.withCritical, (on) => page.show("withCritical", on));
    letToggle("aligned", () => page.aligned, (on) => page.align(on));
    byId("aligned").hidden = page.traces.length < 2;
  }

  listenToSearch() {
    const { search } = this;
    byId("search").addEventListener("input", (event) => search.find(event.target.value));
    byId("search").addEventListener("keydown", (event) => {
      if (event.key === "Enter") search.go(event.shiftKey ? -1 : 1);
      else if (event.key === "Escape") { search.find(""); byId("tree").focus(); }
      else if (event.key === "ArrowDown") byId("tree").focus();
      else return;
      event.preventDefault();
    });
  }

  listenToRows(tree) {
    const { page } = this;
    const itemAt = (event) => page.items[event.target.closest(".row")?.dataset.place];
    tree.addEventListener("scroll", () => page.changed());
    tree.addEventListener("click", (event) => {
      const item = itemAt(event);
      if (item && event.target.matches(".caret")) page.toggle(item);
      else if (item) this.open(item);
    });
    tree.addEventListener("dblclick", (event) => {
      const item = itemAt(event);
      if (item && !event.target.matches(".caret")) this.zoomTo(item);
    });
  }

  listenToTime() {
    const { range } = this.page, chart = byId("chart"), redraw = () => this.page.changed({ overview: true });
    chooseByDragging(byId("overview"), () => [0, range.whole], range);
    chooseByDragging(byId("axis"), () => [range.from, range.to], range);
    byId("overview").addEventListener("dblclick", () => range.fit());
    zoomByWheel(chart, byId("axis"), range);
    moveDivider(byId("divider"), chart, redraw);
    this.sizes = new ResizeObserver(redraw);
    for (const part of ["axis", "tree"]) this.sizes.observe(byId(part));
  }
}

function letToggle(id, isOn, set) {
  const show = () => byId(id).setAttribute("aria-pressed", String(isOn()));
  byId(id).addEventListener("click", () => { set(!isOn()); show(); });
  show();
}
