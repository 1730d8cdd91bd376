import { byId, element } from "./dom.js";
import { level, levelOf } from "./histogram.js";

const opened = new Set();

function localTime(log) {
  const at = new Date(log.timestamp_ms), two = (value) => String(value).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const clock = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":");
  return `${day} ${clock}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

function group(title, entries, filterName, add) {
  const shown = entries.filter(([, value]) => value !== "");
  if (!shown.length) return [];
  const list = shown.flatMap(([key, value]) => {
    const name = filterName(key);
    const button = name && element("button",
      { type: "button", "aria-label": `Show only records with ${key} ${value}`, onclick: () => add(name, String(value)) }, "Filter for");
    return [element("dt", {}, key), element("dd", {}, String(value), ...(button ? [button] : []))];
  });
  return [element("div", {}, element("h3", {}, title), element("dl", {}, ...list))];
}

function detail(log, id, add) {
  const known = { trace_id: "trace_id", endpoint: "endpoint" };
  const fields = ["timestamp", "service_name", "service_version", "client_id", "endpoint", "trace_id",
    "span_id", "scope_name", "severity_number", "id"].map((name) => [name, log[name]]);
  const groups = element("div", { class: "groups" },
    ...group("Log attributes", Object.entries(log.log_attributes), (key) => `attributes[${key}]`, add),
    ...group("Resource attributes", Object.entries(log.resource_attributes), (key) => `resource[${key}]`, add),
    ...group("Record", fields, (key) => known[key], add));
  return element("tr", { class: "detail", id },
    element("td", { colspan: 5 }, element("pre", {}, log.body), groups));
}

function rows(log, add) {
  const id = `detail-${log.id}`, named = log.severity_text || levelOf(log.severity_number), closed = !opened.has(log.id);
  const button = element("button",
    { type: "button", class: "open", "aria-expanded": String(!closed), "aria-controls": id, "aria-label": `Details of the record at ${localTime(log)}` }, "›");
  const row = element("tr", { class: `record ${level(log.severity_text, log.severity_number)}` },
    element("td", {}, button),
    element("td", { class: "time", title: log.timestamp }, localTime(log)),
    element("td", {}, named ? element("span", { class: "badge" }, named.toUpperCase()) : ""),
    element("td", { title: log.service_name }, log.service_name),
    element("td", { class: "body" }, log.body.split("\n", 1)[0]));
  let below = null;
  const toggle = (open) => {
    button.setAttribute("aria-expanded", String(open));
    if (open) opened.add(log.id); else opened.delete(log.id);
    if (open) row.after(below = detail(log, id, add)); else below?.remove();
  };
  row.addEventListener("click", () => {
    if (!getSelection().toString()) toggle(button.getAttribute("aria-expanded") !== "true");
  });
  if (closed) return [row];
  below = detail(log, id, add);
  return [row, below];
}

/** Show log records instead of the current rows or below them; `add(name, value)` adds a filter. */
export function showLogs(logs, append, add) {
  const made = logs.flatMap((log) => rows(log, add));
  if (append) byId("rows").append(...made);
  else if (made.length) byId("rows").replaceChildren(...made);
  else byId("rows").replaceChildren(element("tr", {},
    element("td", { colspan: 5, class: "empty" }, "No log records match. Try a longer time range or fewer filters.")));
}

/** Insert log records, oldest first, above the current rows. Keeps `most` rows, without duplicates. */
export function showNewLogs(logs, most, add) {
  const table = byId("rows");
  table.querySelector(".empty")?.closest("tr").remove();
  const fresh = logs.filter((log) => !table.querySelector(`[aria-controls="detail-${log.id}"]`));
  table.prepend(...fresh.slice(-most).reverse().flatMap((log) => rows(log, add)));
  for (const row of [...table.querySelectorAll("tr.record")].slice(most)) {
    if (row.nextElementSibling?.classList.contains("detail")) row.nextElementSibling.remove();
    row.remove();
  }
}
