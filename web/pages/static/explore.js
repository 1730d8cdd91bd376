import { ApiError, get } from "./api.js";
import { byId, element } from "./dom.js";
import { level } from "./histogram.js";

const FILTERS = ["severity", "service_name", "service_version", "client_id", "endpoint", "scope_name"];

const number = new Intl.NumberFormat();
const share = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });

let running = null;

function bar(count, total) {
  return element("meter", { min: 0, max: Math.max(1, total), value: count, "aria-hidden": "true" });
}

/** The filter that a click on a facet's value sets; null if there is none. */
function filterOf(field, truncated) {
  return !truncated && (field.startsWith("attributes[") || FILTERS.includes(field)) ? field : null;
}

/** A value as its filter takes it; unquoted commas would separate severities. */
function asFilter(field, value) {
  return field === "severity" && /[,"]/.test(value) ? `"${value.replaceAll(`"`, `""`)}"` : value;
}

function facet({ field, exact, records, distinct_values: distinct, values, other }, sampled, add) {
  const label = field.replace(/^attributes\[(.*)\]$/s, "$1");
  const rows = values.map(({ value, count, truncated }) => {
    const name = filterOf(field, truncated), shown = value === "" ? "(empty)" : value;
    const button = element("button", { type: "button", "aria-label": `Show only records with ${label} ${shown}`,
      onclick: () => add(name, asFilter(field, value)) }, shown);
    return element("li", {}, name ? button : element("span", {}, shown), bar(count, records), number.format(count));
  });
  const rest = other ? [element("p", {}, `${number.format(distinct - values.length)} more values (${number.format(other)} records)`)] : [];
  const sample = exact ? [] : [element("p", {}, `Estimated from a sample of ${number.format(sampled)} records`)];
  return element("section", { "aria-label": label }, element("h3", {}, label), element("ul", {}, ...rows), ...rest, ...sample);
}

function showFacets({ facets, sampled_records: sampled }, add) {
  byId("facet-list").replaceChildren(...facets.map((each) => facet(each, sampled, add)));
}

function pattern({ template, count, share: part, example, first_timestamp: first, last_timestamp: last, by_severity: levels }, total) {
  const badges = Object.entries(levels).map(([severity, records]) =>
    element("span", { class: `badge ${level(severity)}` }, `${severity} ${number.format(records)}`));
  return element("li", {}, element("details", {},
    element("summary", {}, element("span", { class: "count" }, number.format(count)), bar(count, total),
      element("code", {}, template.split("\n", 1)[0] || "(empty)")),
    element("pre", {}, example),
    element("p", {}, `${share.format(part)} of the records, from ${first} to ${last} `, ...badges)));
}

function showPatterns({ patterns, templates, other, exact, sampled_records: clustered }) {
  const rest = other
    ? [element("li", { class: "rest" }, `${number.format(templates - patterns.length)} more patterns (${number.format(other)} records)`)]
    : [];
  const sample = exact ? [] : [element("li", { class: "rest" }, `Estimated from a sample of ${number.format(clustered)} records`)];
  byId("pattern-list").replaceChildren(...patterns.map((each) => pattern(each, clustered)), ...rest, ...sample);
}

const PANELS = {
  facets: ["/logs/facets", ["values", 6], showFacets],
  patterns: ["/logs/patterns", ["limit", 30], showPatterns],
};

async function load(id, query, signal, add) {
  const [path, extra, show] = PANELS[id], status = byId(`${id}-status`);
  status.textContent = "…";
  status.classList.remove("bad");
  try {
    const answer = await get(path, new URLSearchParams([...query, extra]), signal);
    show(answer, add);
    status.textContent = answer.total ? "" : "No log records match.";
  } catch (error) {
    if (error.name === "AbortError") return;
    status.textContent = error instanceof ApiError ? error.message : "Something went wrong. Reload the page.";
    status.classList.add("bad");
  }
}

/** Load the open panels for a search; `add(name, value)` adds a filter. */
export function explore(query, add) {
  running?.abort();
  running = new AbortController();
  const open = Object.keys(PANELS).filter((id) => byId(id).open);
  return Promise.all(open.map((id) => load(id, query, running.signal, add)));
}

/** Call `opened` whenever a panel is opened. */
export function whenOpened(opened) {
  for (const id of Object.keys(PANELS)) {
    byId(id).addEventListener("toggle", () => { if (byId(id).open) opened(); });
  }
}
