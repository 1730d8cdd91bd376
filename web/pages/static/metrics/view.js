import { ApiCall } from "../components/api_call.js";
import { LineChart } from "../components/line_chart.js";
import { Problem } from "../components/problem.js";
import { Pin } from "../components/pin.js";
import { Refresh } from "../components/refresh.js";
import { TimeRange } from "../components/time_range.js";
import { Workspace } from "../components/workspace.js";
import { param } from "../core/address.js";
import { get } from "../core/api.js";
import { counted, duration } from "../core/format.js";
import { html } from "../core/html.js";
import { useLoaded } from "../core/load.js";
import { asked, range, rangeNow, zoom } from "../core/range.js";
import { visible } from "../core/text.js";
import { Catalogue } from "./catalogue.js";
import { Aggregation, Filters, GroupBy } from "./controls.js";
import { exemplarQuery, exemplarsOf } from "./exemplars.js";
import { asking, panelsOf, queries } from "./question.js";
import { chartOf } from "./series.js";

const shared = () => [param("workspace_id"), range.value.from, range.value.to, asked.value];

/** What is known of the metric with this name, null if the time range has none. */
async function described(name, kind, signal) {
  if (!name) return null;
  const { metrics } = await get("/metrics", { search: name, limit: 1000, workspace_id: param("workspace_id"), ...rangeNow() }, signal);
  return metrics.find((metric) => metric.name === name && (!kind || metric.kind === kind)) ?? null;
}

async function answered(question, signal) {
  const asks = queries(question);
  return chartOf(asks, await Promise.all(asks.map((query) => get("/metrics/query", query, signal))));
}

/** The chart of the question's answer, loaded anew for each new description of the metric, which a new range has. */
function Answer({ metric, question }) {
  const { content: points } = useLoaded((signal) => exemplarsOf(question, signal), [JSON.stringify(question), metric]);
  const { content: chart, error, loading } = useLoaded((signal) => answered(question, signal), [JSON.stringify(question), metric]);
  if (error) return html`<${Problem} error=${error} />`;
  if (!chart) return html`<p class="status">${loading && "Loading …"}</p>`;
  const cut = chart.series.length < chart.total && ` · the ${chart.series.length} with the highest values of`;
  return html`<p class="status" role="status">${cut ? `${cut.slice(3)} ` : ""}${counted(chart.total, "series", "series")} · one value each ${duration(chart.interval)}</p>
    ${chart.total ? html`<${LineChart} ...${chart} label=${question.name} height=${320} onSelect=${zoom} points=${points ?? []} />`
      : html`<p class="empty">No data points match.</p>`}`;
}

function Metric({ metric, question }) {
  return html`<h2 class="metric-name">${visible(metric.name)}
      <span class="soft">${metric.kind.replace("_", " ")}${metric.temporalities.length > 0 && `, ${metric.temporalities.join(" and ")}`}${
        metric.unit && `, unit ${visible(metric.unit)}`}</span></h2>
    ${metric.description && html`<p class="soft">${visible(metric.description)}</p>`}
    <div class="toolbar"><${Aggregation} metric=${metric} question=${question} /><${GroupBy} metric=${metric} by=${question.by} />
      <${Filters} metric=${metric} filters=${question.filters} /><${Pin} panel=${() => panelsOf(question)} size="" /></div>
    <${Answer} metric=${metric} question=${question} />`;
}

const calls = (metric) => () => {
  const list = ["Metrics", "/metrics", { workspace_id: param("workspace_id"), ...rangeNow() }];
  if (!metric) return [list];
  const asked = queries(asking(metric));
  return [...asked.map((query) => [query.quantile ? `Series, quantile ${query.quantile}` : "Series", "/metrics/query", query]),
    ["Exemplars", "/metrics/exemplars", exemplarQuery(asked[0])], list];
};

/** Metrics: choose one, and see it over time. */
export function View() {
  const name = param("metric"), kind = param("kind");
  const { content: metric, error, loading } = useLoaded((signal) => described(name, kind, signal), [name, kind, ...shared()]);
  const known = metric?.name === name ? metric : null;
  return html`<main class="view metrics"><h1 class="hidden">Metrics</h1>
    <div class="toolbar end-aligned"><${TimeRange} /><${Refresh} /><${Workspace} /><${ApiCall} calls=${calls(known)} /></div>
    <div class="beside"><${Catalogue} chosen=${name} kind=${kind} />
      <section class="card" aria-label="Chart"><${Problem} error=${error} />
        ${known ? html`<${Metric} key=${`${name}\n${kind}`} metric=${known} question=${asking(known)} />`
          : !error && html`<p class="empty">${!name ? "Choose a metric." : loading ? "Loading …" : `No data points of ${visible(name)} in this time range.`}</p>`}
      </section></div></main>`;
}
