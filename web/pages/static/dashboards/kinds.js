// The kinds of panels: what each is called, asks for, and links to.

import { get, post } from "../core/api.js";
import { linkTo, param } from "../core/address.js";
import { pairsOf } from "../core/pairs.js";
import { countsOf } from "./requests.js";

const RECORDS = 50;
const BUCKETS = 60;

const shared = (when) => ({ workspace_id: param("workspace_id") || undefined, ...when });

const read = (path, query, when, signal) => get(path, [...pairsOf(query), ...Object.entries(shared(when))], signal);

/** Counts of log records, or of requests if the panel is about traces. */
async function count(path, { signal: about, query }, when, signal) {
  if (about !== "traces") return read(path, query, when, signal);
  return countsOf(await read("/services", query, when, signal));
}

const listOf = (panel) => (panel.signal === "traces" ? "/traces" : "/logs");

/** The parameters of a search as the address of its view has them. */
function toSearch({ signal, query }, more = {}) {
  const texts = pairsOf(query).filter(([name]) => !["limit", "fields", "values", "buckets", "interval"].includes(name));
  return linkTo(signal === "traces" ? "/traces" : "/", { ...Object.fromEntries(texts), ...more });
}

function toMetric({ query }) {
  const { by, attributes, ...rest } = query;
  const keys = attributes && Object.keys(attributes).length ? JSON.stringify(attributes) : "";
  return linkTo("/metric-explorer", { ...rest, by: [by ?? []].flat().join(","), attributes: keys });
}

/** By the names that the API has: `read(panel, when, signal)` is a promise of what the panel shows. */
export const KINDS = {
  histogram: {
    name: "Histogram", about: "Records over time, by level",
    read: (panel, when, signal) => count("/logs/histogram", { ...panel, query: { buckets: BUCKETS, ...panel.query } }, when, signal), href: toSearch,
  },
  metric: {
    name: "Metric", about: "Lines of a metric over time",
    read: ({ query }, when, signal) => post("/metrics/query", { ...query, ...shared(when) }, signal), href: toMetric,
  },
  top_values: {
    name: "Top values", about: "The most frequent values of a field",
    read: ({ query }, when, signal) => read("/logs/facets", query, when, signal), href: toSearch,
  },
  number: {
    name: "Single number", about: "How many records match",
    read: (panel, when, signal) => count("/stats", panel, when, signal), href: toSearch,
  },
  logs: {
    name: "List", about: "The newest records",
    read: (panel, when, signal) => read(listOf(panel), { limit: RECORDS, ...panel.query }, when, signal), href: toSearch,
  },
};

/** What a panel is called if it has no title. */
export function titleOf({ title, kind, signal, query }) {
  if (title) return title;
  if (kind === "metric") return query.metric;
  if (kind === "top_values") return `${[query.fields].flat()[0]}${query.q ? ` of ${query.q}` : ""}`;
  const records = signal === "traces" ? (kind === "logs" ? "traces" : "requests") : "records";
  return query.q || `All ${records}`;
}
