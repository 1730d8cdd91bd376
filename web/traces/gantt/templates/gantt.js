// Builds the page and connects its controls.

import { showDetails } from "./details.js";
import { byId } from "./dom.js";
import { showLegend, showSummary } from "./head.js";
import { listenToKeys } from "./keys.js";
import { Page } from "./page.js";
import { chooseByDragging, moveDivider, zoomByWheel } from "./pointer.js";
import { Search } from "./search.js";

const page = new Page(JSON.parse(byId("content").textContent));
const search = new Search(page, select);

function select(item) {
  page.select(item);
  if (!byId("details").hidden) showDetails(item, page.content, select);
}

function openDetails(item) {
  byId("details").hidden = false;
  select(item);
}

function closeDetails() {
  byId("details").hidden = true;
  byId("tree").focus();
}

function dismiss() {
  if (!byId("details").hidden) closeDetails();
  else search.find("");
}

/** Zoom to an item; for a log record, which has no duration, to its span. */
function zoomTo(item) {
  page.range.around(...page.timeOf(item.kind === "log" ? item.parent : item));
}

function setTheme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  byId("theme").textContent = dark ? "Light" : "Dark";
  page.changed({ overview: true });
}

function letToggle(id, isOn, set) {
  const show = () => byId(id).setAttribute("aria-pressed", String(isOn()));
  byId(id).addEventListener("click", () => { set(!isOn()); show(); });
  show();
}

function listenToButtons() {
  const clicks = {
    previous: () => search.go(-1), next: () => search.go(1), error: () => search.goToError(),
    collapse: () => page.collapseAll(), expand: () => page.expandAll(),
    in: () => page.range.zoom(1 / 1.6), out: () => page.range.zoom(1.6), fit: () => page.range.fit(),
    close: closeDetails, keys: () => byId("help").showModal(),
    theme: () => setTheme(document.documentElement.dataset.theme !== "dark"),
  };
  for (const [id, act] of Object.entries(clicks)) byId(id).addEventListener("click", act);
  letToggle("logs", () => page.withLogs, (on) => page.show("withLogs", on));
  letToggle("critical", () => page.withCritical, (on) => page.show("withCritical", on));
  letToggle("aligned", () => page.aligned, (on) => page.align(on));
  byId("aligned").hidden = page.traces.length < 2;
}

function listenToSearch() {
  byId("search").addEventListener("input", (event) => search.find(event.target.value));
  byId("search").addEventListener("keydown", (event) => {
    if (event.key === "Enter") search.go(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape") { search.find(""); byId("tree").focus(); }
    else if (event.key === "ArrowDown") byId("tree").focus();
    else return;
    event.preventDefault();
  });
}

function listenToRows(tree) {
  const itemAt = (event) => page.items[event.target.closest(".row")?.dataset.place];
  tree.addEventListener("scroll", () => page.changed());
  tree.addEventListener("click", (event) => {
    const item = itemAt(event);
    if (item && event.target.matches(".caret")) page.toggle(item);
    else if (item) openDetails(item);
  });
  tree.addEventListener("dblclick", (event) => {
    const item = itemAt(event);
    if (item && !event.target.matches(".caret")) zoomTo(item);
  });
}

function listenToTime() {
  const range = page.range, chart = byId("chart"), redraw = () => page.changed({ overview: true });
  chooseByDragging(byId("overview"), () => [0, range.whole], range);
  chooseByDragging(byId("axis"), () => [range.from, range.to], range);
  byId("overview").addEventListener("dblclick", () => range.fit());
  zoomByWheel(chart, byId("axis"), range);
  moveDivider(byId("divider"), chart, redraw);
  for (const part of ["axis", "tree"]) new ResizeObserver(redraw).observe(byId(part));
}

showSummary(page.traces);
showLegend(page.content.services, (name) => search.find(name));
setTheme(matchMedia("(prefers-color-scheme: dark)").matches);
listenToButtons();
listenToSearch();
listenToRows(byId("tree"));
listenToTime();
listenToKeys(page, byId("tree"), {
  select, zoom: zoomTo, dismiss, open: (item) => { openDetails(item); byId("details-name").focus(); },
});
