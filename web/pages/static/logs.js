import { ApiError, get } from "./api.js";
import { byId } from "./dom.js";
import { explore, whenOpened } from "./explore.js";
import { Filters } from "./filters.js";
import { showStats } from "./histogram.js";
import { Live } from "./live.js";
import { showLogs, showNewLogs } from "./table.js";

const PAGE = 100, REFRESH_MS = 5000, LIVE_ROWS = 500;

let running = null, cursor = null, query = null, paged = false, live = null;

const filters = new Filters(() => search());
const add = (name, value) => filters.add(name, value);
const zoom = (from, to) => { filters.setRange(from, Math.max(to, from + 999)); search(); };

function say(text, bad = false) {
  byId("status").textContent = text;
  byId("status").classList.toggle("bad", bad);
}

/** Show what is wrong with the query next to the search box, and mark the box. */
function showMistake(reasons = []) {
  byId("mistake").textContent = reasons.join(" ");
  byId("search").setAttribute("aria-invalid", String(reasons.length > 0));
}

async function guarded(work) {
  running?.abort();
  const controller = running = new AbortController();
  try {
    await work(controller.signal);
    showMistake();
  } catch (error) {
    if (error.name === "AbortError") return;
    showMistake(error.fields?.q);
    say(error instanceof ApiError ? error.message : "Something went wrong. Reload the page.", true);
    if (!(error instanceof ApiError)) throw error;
  }
}

async function showPage(parameters, append, signal) {
  const page = await get("/logs", new URLSearchParams([...parameters, ["limit", PAGE], ["count", "false"]]), signal);
  showLogs(page.logs, append, add);
  cursor = page.next_cursor;
  byId("older").hidden = !page.has_more;
  say(page.logs.length ? `Updated ${new Date().toLocaleTimeString()}` : "");
}

function refresh() {
  query = filters.query();
  paged = false;
  return guarded(async (signal) => {
    await follow();
    await Promise.all([
      showPage(query, false, signal),
      get("/ingestion/stats", new URLSearchParams([...query, ["buckets", 100]]), signal)
        .then((stats) => showStats(stats, zoom)),
    ]);
    live?.start();
    if (live) say("Live");
  });
}

/** Refresh, and also reload the open panels, which cost more than a page of records. */
function search() {
  const shown = refresh();
  explore(query, add);
  return shown;
}

function follow() {
  live?.close();
  live = byId("live").checked ? new Live(query, (logs) => showNewLogs(logs, LIVE_ROWS, add), say) : null;
  return live?.ready;
}

function older() {
  paged = true;
  byId("live").checked = false;
  follow();
  byId("refresh").checked = false;
  return guarded((signal) => showPage([...query, ["cursor", cursor]], true, signal));
}

byId("filters").addEventListener("submit", (event) => { event.preventDefault(); search(); });
byId("filters").addEventListener("change", (event) => {
  filters.showCustom();
  if (event.target.id === "range" && !filters.relative && !byId("from").value) {
    filters.setRange(Date.now() - 3600000, Date.now());
  }
  if (event.target.id !== "refresh") search();
});
byId("workspace").addEventListener("change", () => search());
byId("older").addEventListener("click", older);
whenOpened(() => explore(query, add));
setInterval(() => {
  if (byId("refresh").checked && !live && filters.relative && !paged && !document.hidden) refresh();
}, REFRESH_MS);
byId("refresh").addEventListener("change", (event) => { if (event.target.checked) search(); });

search();
