// The kinds of panels: what each is called, asks for, and links to.

import { get, post } from "../core/api.js";
import { inWorkspace, linkTo } from "../core/address.js";
import { grouped, pairsOf } from "../core/pairs.js";
import { labelOf } from "../core/query.js";
import { joined, titleOf as metricTitle } from "../metrics/question.js";
import { countsOf } from "./requests.js";

const RECORDS = 50;
const BUCKETS = 60;
const MOST_SERVICES = 1000;

const shared = (when) => ({ ...inWorkspace(), ...when });

const read = (path, query, when, signal) => get(path, [...pairsOf(query), ...Object.entries(shared(when))], signal);

/** Counts of log records, or of requests if the panel is about traces. */
async function count(path, { signal: about, query }, when, signal) {
  if (about !== "traces") return read(path, query, when, signal);
  return countsOf(await read("/services", { limit: MOST_SERVICES, ...query }, when, signal));
}

const listOf = (panel) => (panel.signal === "traces" ? "/traces" : "/logs");

/** Parameters that say how an answer is shown, not which records it is about. */
const SHAPE = ["limit", "fields", "values", "buckets", "interval"];

/** The parameters of a search as the address of its view has them. */
export function toSearch({ signal, query }, more = {}) {
  const texts = pairsOf(query).filter(([name]) => !SHAPE.includes(name));
  return linkTo(signal === "traces" ? "/traces" : "/", { ...grouped(texts), ...more });
}

function toMetric({ query }) {
  const { by, attributes, ...rest } = query;
  const keys = attributes && Object.keys(attributes).length ? JSON.stringify(attributes) : "";
  return linkTo("/metric-explorer", { ...rest, by: joined([by ?? []].flat()), attributes: keys });
}

/** Whether a kind of panel asks for a metric. */
export const ofMetric = (kind) => KINDS[kind].href === toMetric;

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
  metric_number: {
    name: "Metric as a number", about: "The last value of a metric",
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

/** Which records a search is about, as a title says it; "" for all. */
function condition({ q, by, sort, ...rest }) {
  const filters = pairsOf(rest).filter(([name]) => !SHAPE.includes(name)).map(([name, value]) => `${labelOf(name)} = ${value}`);
  return [q, ...filters].filter(Boolean).join(", ");
}

/** What a panel is called if it has no title. */
export function titleOf({ title, kind, signal, query }) {
  if (title) return title;
  if (ofMetric(kind)) return metricTitle(query);
  const searched = condition(query);
  if (kind === "top_values") return `${labelOf([query.fields].flat()[0])}${searched && ` of ${searched}`}`;
  const records = signal === "traces" ? (kind === "logs" ? "traces" : "requests") : "records";
  return `${searched || `All ${records}`}${query.by ? ` by ${labelOf(query.by)}` : ""}`;
}
