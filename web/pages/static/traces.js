import { ApiError, download, get } from "./api.js";
import { byId, element } from "./dom.js";
import { duration, waterfall } from "./waterfall.js";

const PAGE = 50, MOST_SPANS = 500, COLUMNS = 7;

const form = byId("filters");
let running = null, cursor = null, query = null, longest = 0;

function say(text, bad = false) {
  byId("status").textContent = text;
  byId("status").classList.toggle("bad", bad);
}

async function guarded(work) {
  try {
    await work();
  } catch (error) {
    if (error.name === "AbortError") return;
    say(error instanceof ApiError ? error.message : "Something went wrong. Reload the page.", true);
    if (!(error instanceof ApiError)) throw error;
  }
}

function workspace() {
  const name = form.elements.workspace_id.value.trim();
  return name ? { workspace_id: name } : {};
}

/** The parameters for the API. The page's address gets the same, but keeps the range relative. */
function searchParameters() {
  const given = [...new FormData(form)].map(([name, value]) => [name, value.trim()]);
  const address = new URLSearchParams(given.filter(([, value]) => value));
  history.replaceState(null, "", `?${address}`);
  const parameters = new URLSearchParams(address), now = Date.now();
  parameters.delete("range");
  parameters.set("start_time_ms", now - Number(address.get("range")));
  parameters.set("end_time_ms", now);
  return parameters;
}

async function save(trace) {
  const file = await download("/traces/gantt", { ...workspace(), trace_ids: [trace.trace_id] });
  const link = element("a", { href: URL.createObjectURL(file), download: `trace-${trace.trace_id}.html` });
  link.click();
  URL.revokeObjectURL(link.href);
}

async function open(trace, cell) {
  const parameters = new URLSearchParams({ ...workspace(), max_spans: MOST_SPANS, max_logs: PAGE });
  const whole = await get(`/traces/${trace.trace_id}`, parameters);
  const cut = whole.spans_truncated ? [`First ${MOST_SPANS} of ${trace.span_count} spans`] : [];
  cell.replaceChildren(
    element("div", { class: "tools" }, element("code", {}, trace.trace_id), ...cut,
      element("button", { type: "button", onclick: () => guarded(() => save(trace)) }, "Download as HTML")),
    waterfall(whole));
}

function rows(trace) {
  const id = `trace-${trace.trace_id}`, name = `${trace.root_service}: ${trace.root_name}`;
  const button = element("button", { type: "button", class: "open", "aria-expanded": "false",
    "aria-controls": id, "aria-label": `Spans of ${name}` }, "›");
  const cell = element("td", { colspan: COLUMNS }, "…");
  const below = element("tr", { class: "detail", id, hidden: true }, cell);
  const row = element("tr", { class: trace.error_count ? "record failed" : "record" },
    element("td", {}, button),
    element("td", { class: "time", title: trace.start }, new Date(trace.start_ms).toLocaleString()),
    element("td", { title: name }, name, ...(trace.root_missing ? [element("span", { class: "soft" }, " (root missing)")] : [])),
    element("td", {}, element("meter", { max: longest || 1, value: trace.duration_ms, "aria-hidden": "true" }), duration(trace.duration_ms)),
    element("td", {}, String(trace.span_count)),
    element("td", { class: trace.error_count ? "bad" : "soft" }, String(trace.error_count)),
    element("td", { title: trace.services.join(", ") }, trace.services.join(", ")));
  row.addEventListener("click", () => {
    below.hidden = !below.hidden;
    button.setAttribute("aria-expanded", String(!below.hidden));
    if (!below.hidden) guarded(() => open(trace, cell));
  });
  return [row, below];
}

async function showPage(parameters, append) {
  running?.abort();
  const controller = running = new AbortController();
  const page = await get("/traces", new URLSearchParams([...parameters, ["limit", PAGE]]), controller.signal);
  if (!append) longest = Math.max(0, ...page.traces.map((trace) => trace.duration_ms));
  const made = page.traces.flatMap(rows);
  if (append) byId("rows").append(...made);
  else if (made.length) byId("rows").replaceChildren(...made);
  else byId("rows").replaceChildren(element("tr", {},
    element("td", { colspan: COLUMNS, class: "empty" }, "No traces match. Try a longer time range or fewer filters.")));
  cursor = page.next_cursor;
  byId("next").hidden = !page.has_more;
  say(`Updated ${new Date().toLocaleTimeString()}`);
}

async function showServices(parameters) {
  const kept = [...parameters].filter(([name]) => ["workspace_id", "start_time_ms", "end_time_ms"].includes(name));
  const { services } = await get("/traces/services", new URLSearchParams(kept));
  byId("services").replaceChildren(...services.map((each) => element("option", { value: each.service_name })));
}

function search() {
  query = searchParameters();
  return guarded(() => Promise.all([showPage(query, false), showServices(query)]));
}

for (const [name, value] of new URLSearchParams(location.search)) {
  const field = form.elements[name];
  if (field) field.value = value;
}
if (!form.elements.range.value) form.elements.range.value = "3600000";
form.addEventListener("submit", (event) => { event.preventDefault(); search(); });
form.addEventListener("change", search);
byId("next").addEventListener("click", () => guarded(() => showPage([...query, ["cursor", cursor]], true)));

search();
