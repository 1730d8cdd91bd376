// What is asked about a metric, as the address has it and as the API takes it.

import { param, set } from "../core/address.js";
import { rangeNow } from "../core/range.js";

/** The name of the attribute that stands for the service. */
export const SERVICE = "service";

const DEFAULTS = { gauge: "avg", sum: "rate", histogram: "quantile", exponential_histogram: "quantile", summary: "avg" };
const QUANTILES = "0.5,0.95,0.99";

const names = (text) => text.split(",").filter(Boolean);

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

export const setBy = (by) => set({ by: by.join(",") });

export const setFilters = (filters) => set({ attributes: filters.length ? JSON.stringify(Object.fromEntries(filters)) : "" });

/** The API's parameters: one query, or one for each quantile. */
export function queries({ name, kind, aggregation, quantiles, by, filters }) {
  const attributes = Object.fromEntries(filters.filter(([key]) => key !== SERVICE));
  const query = {
    metric: name, kind, aggregation, by: by.join(","), service_name: filters.find(([key]) => key === SERVICE)?.[1],
    attributes: Object.keys(attributes).length ? JSON.stringify(attributes) : "",
    workspace_id: param("workspace_id"), ...rangeNow(),
  };
  return aggregation === "quantile" ? quantiles.map((quantile) => ({ ...query, quantile })) : [query];
}

/** The unit of what an aggregation returns. */
export function unitOf({ aggregation, unit, kind }) {
  const own = aggregation === "count" || (kind !== "sum" && ["rate", "increase"].includes(aggregation)) ? "" : unit;
  return aggregation === "rate" ? `${own}/s` : own;
}

/** "p99" for 0.99. */
export const quantileName = (quantile) => `p${Number((quantile * 100).toPrecision(6))}`;
