// What the log view asks for: the query and the filters in the address, and the shared time range.

import { computed } from "../vendor/signals.js";
import { pairs, param, set } from "../core/address.js";
import { grouped } from "../core/pairs.js";

const NAMES = new Set(["workspace_id", "search", "severity", "min_severity", "service_name", "service_version",
  "client_id", "endpoint", "scope_name", "trace_id", "span_id", "app"]);
const ATTRIBUTE = /^(attributes|resource)[.[]/;

/** Filters of the address beside the query, as [name, value]; links from elsewhere have them. */
export const others = computed(() => pairs.value
  .filter(([name]) => name !== "workspace_id" && (NAMES.has(name) || ATTRIBUTE.test(name))));

/** All filters as parameters of the API, without the time range. */
export const filters = computed(() => {
  const found = [...others.value];
  for (const name of ["workspace_id", "q"]) if (param(name)) found.push([name, param(name)]);
  return found;
});

export const query = computed(() => param("q"));

/** The filters beside the query by name, as the API saves them: a list of values if one is repeated. */
export const saveable = () => Object.fromEntries(Object.entries(grouped(others.value))
  .map(([name, values]) => [name, values.length > 1 ? values : values[0]]));

/** The same with the query, as a panel of a dashboard keeps them. */
export const searched = () => ({ ...saveable(), q: query.value });

/** Run a query. A record that was open belongs to the query before. */
export const ask = (text) => set({ q: text, record: "", open: "" });

export const removeFilter = (name) => set({ [name]: "" });
