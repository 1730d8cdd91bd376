// What is asked about a metric, as the address has it and as the API takes it.

import { param, set } from "../core/address.js";
import { rangeNow } from "../core/range.js";

/** The name of the attribute that stands for the service. */
export const SERVICE = "service";

const DEFAULTS = { gauge: "avg", sum: "rate", histogram: "quantile", exponential_histogram: "quantile", summary: "avg" };
const QUANTILES = "0.5,0.95,0.99";

const NAME = /"((?:[^"]|"")*)"|[^,]+/g;

/** Names from a text with commas; one that has a comma itself is in double quotes, as the API takes it. */
export const names = (text) => [...text.matchAll(NAME)].map(([plain, quoted]) => quoted?.replaceAll('""', '"') ?? plain.trim()).filter(Boolean);

export const joined = (list) => list.map((name) => (/[",]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name)).join(",");

/** Pairs of attribute and value that data points must have. */
function filtersOf(text) {
  try {
    return Object.entries(JSON.parse(text || "{}")).map(([key, value]) => [key, String(value)]);
  } catch {
    return [];
  }
}

/** The question of the address; `metric` is what is known of the metric, or undefined. */
export function asking(metric) {
  const usual = metric?.monotonic === false ? "sum" : DEFAULTS[metric?.kind];
  return {
    name: param("metric"), kind: param("kind"), aggregation: param("aggregation") || usual || "",
    quantiles: names(param("quantile") || QUANTILES), by: names(param("by")), filters: filtersOf(param("attributes")),
  };
}

/** Ask about another metric. What the answer was grouped and filtered by may not exist there. */
export const choose = ({ name, kind }) => set({ metric: name, kind, aggregation: "", quantile: "", by: "", attributes: "" });

export const setBy = (by) => set({ by: joined(by) });

export const setFilters = (filters) => set({ attributes: filters.length ? JSON.stringify(Object.fromEntries(filters)) : "" });

/** The API's parameters: one query, or one for each quantile. */
export function queries({ name, kind, aggregation, quantiles, by, filters }) {
  const attributes = Object.fromEntries(filters.filter(([key]) => key !== SERVICE));
  const query = {
    metric: name, kind, aggregation, by: joined(by), service_name: filters.find(([key]) => key === SERVICE)?.[1],
    attributes: Object.keys(attributes).length ? JSON.stringify(attributes) : "",
    workspace_id: param("workspace_id"), ...rangeNow(),
  };
  return aggregation === "quantile" ? quantiles.map((quantile) => ({ ...query, quantile })) : [query];
}

/** Panels of the question: one, or one for each quantile. */
export function panelsOf(question) {
  const { name: metric, kind, aggregation, quantiles, by, filters } = question;
  const attributes = Object.fromEntries(filters.filter(([key]) => key !== SERVICE));
  const query = {
    metric, kind, aggregation, by: by.length ? by : undefined, service_name: filters.find(([key]) => key === SERVICE)?.[1],
    attributes: Object.keys(attributes).length ? attributes : undefined,
  };
  if (aggregation !== "quantile") return [{ kind: "metric", query }];
  return quantiles.map((quantile) => ({ kind: "metric", query: { ...query, quantile: Number(quantile) } }));
}

const AGGREGATIONS = { avg: "average", min: "minimum", max: "maximum", last: "last value" };

/** What a query shows, as in "p99 of http.server.request.duration by service". */
export function titleOf({ metric, aggregation, quantile, by, service_name: service, attributes = {} }) {
  const value = aggregation === "quantile" ? quantileName(quantile) : AGGREGATIONS[aggregation] ?? aggregation;
  const filters = Object.entries({ ...(service ? { [SERVICE]: service } : {}), ...attributes }).map(([key, text]) => `${key} = ${text}`);
  const groups = [by ?? []].flat();
  return [`${value} of ${metric}`, groups.length && ` by ${groups.join(", ")}`, filters.length && `, ${filters.join(", ")}`].filter(Boolean).join("");
}

/** The unit of what an aggregation returns. */
export function unitOf({ aggregation, unit, kind }) {
  const own = aggregation === "count" || (kind !== "sum" && ["rate", "increase"].includes(aggregation)) ? "" : unit;
  return aggregation === "rate" ? `${own}/s` : own;
}

/** "p99" for 0.99. */
export const quantileName = (quantile) => `p${Number((quantile * 100).toPrecision(6))}`;
