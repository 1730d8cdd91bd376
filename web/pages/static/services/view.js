import { ApiCall } from "../components/api_call.js";
import { Pin } from "../components/pin.js";
import { Problem } from "../components/problem.js";
import { Refresh } from "../components/refresh.js";
import { TimeRange } from "../components/time_range.js";
import { Workspace } from "../components/workspace.js";
import { param } from "../core/address.js";
import { get } from "../core/api.js";
import { counted } from "../core/format.js";
import { html } from "../core/html.js";
import { useLoaded } from "../core/load.js";
import { asked, range, rangeNow } from "../core/range.js";
import { rowsOf } from "./figures.js";
import { ServiceMap } from "./map.js";
import { ServiceTable } from "./table.js";

const MOST = 1000;
const REQUESTS = { kind: "histogram", signal: "traces", query: {} };

const shared = () => ({ workspace_id: param("workspace_id"), ...rangeNow() });

/** The figures and the map of the same range. */
async function loaded(signal) {
  const query = shared();
  const [figures, map] = await Promise.all([get("/services", { ...query, limit: MOST }, signal), get("/traces/service-map", query, signal)]);
  return { rows: rowsOf(figures), hasMore: figures.has_more, map };
}

const calls = () => [["Figures", "/services", { ...shared(), limit: MOST }], ["Service map", "/traces/service-map", shared()]];

/** Services: how many requests they have, how many fail, how long they take, and whom they call. */
export function View() {
  const { content, error, loading } = useLoaded(loaded, [param("workspace_id"), range.value.from, range.value.to, asked.value]);
  const rows = content?.rows ?? [];
  return html`<main class="view services"><h1 class="hidden">Services</h1>
    <div class="toolbar"><p class="status" role="status">${!error && (content
        ? `${content.hasMore ? "The first " : ""}${counted(rows.length, "service")}. Requests are spans of servers and consumers, and those without a parent.`
        : loading && "Loading …")}</p>
      <span class="end toolbar"><${TimeRange} /><${Refresh} /><${Workspace} /><${Pin} panel=${() => REQUESTS} size="" /><${ApiCall} calls=${calls} /></span></div>
    <${Problem} error=${error} />
    ${content && (rows.length ? html`<${ServiceTable} rows=${rows} /><${ServiceMap} map=${content.map} />`
      : html`<p class="empty">No spans in this time range.</p>`)}</main>`;
}
