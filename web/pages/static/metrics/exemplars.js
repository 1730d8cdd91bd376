// Single measurements with their traces, as points of a chart that link to them.

import { linkTo } from "../core/address.js";
import { get } from "../core/api.js";
import { visible } from "../core/text.js";
import { queries } from "./question.js";

/** Aggregations whose values are like those of measurements, so that both fit one axis. */
const ALIKE = new Set(["avg", "min", "max", "last", "quantile"]);

/** What to ask for the exemplars of a question's query. */
export function exemplarQuery(query) {
  return Object.fromEntries(Object.entries(query).filter(([name]) => !["aggregation", "quantile", "by"].includes(name)));
}

function pointOf({ timestamp, value, trace_id: trace, span_id: span, service_name: service }) {
  const href = linkTo(`/traces/${trace}`, { span });
  return { time: Date.parse(timestamp), value, href, title: `Trace of ${visible(service)}` };
}

/** The exemplars of a question, as a chart takes points; none if they have no place on its axis. */
export async function exemplarsOf(question, signal) {
  if (!ALIKE.has(question.aggregation)) return [];
  const [query] = queries(question);
  const { exemplars } = await get("/metrics/exemplars", exemplarQuery(query), signal);
  return exemplars.map(pointOf);
}
