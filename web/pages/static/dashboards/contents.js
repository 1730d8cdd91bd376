import { html } from "../core/html.js";
import { counted, number, relative, share } from "../core/format.js";
import { levelOf, severityOf } from "../core/levels.js";
import { include } from "../core/query.js";
import { zoom } from "../core/range.js";
import { linkTo } from "../core/address.js";
import { visible } from "../core/text.js";
import { inUnit } from "../core/units.js";
import { unitOf } from "../metrics/question.js";
import { Bars } from "../components/bars.js";
import { LineChart } from "../components/line_chart.js";
import { BarsLegend, barsOf } from "../components/record_bars.js";
import { toSearch } from "./kinds.js";

const NONE = html`<p class="soft nothing">Nothing in this time range.</p>`;
const CHROME = 14, LEGEND_FROM = 170, LEGEND_PX = 24;

/** The address of a panel's records with a value. */
const recordsOf = (panel, field, value) => toSearch(panel, { q: include(panel.query.q ?? "", field, value) });

function Histogram({ panel, content, height, title }) {
  const by = panel.query.by ?? "", { buckets, entries } = barsOf(by, content);
  const legend = height > LEGEND_FROM && panel.signal !== "traces" && entries.length > 0;
  return html`${legend && html`<${BarsLegend} by=${by} entries=${entries} linkOf=${({ field, name }) => recordsOf(panel, field, name)} />`}
    <${Bars} buckets=${buckets} interval=${content.interval_ms} height=${legend ? height - LEGEND_PX : height} marks=${content.marks ?? []}
      onSelect=${(part) => part && zoom(part.from, part.to)} label="${title}: ${counted(content.total, panel.signal === "traces" ? "request" : "record")} over time" />`;
}

function seriesOf({ series, metric }) {
  const times = series[0]?.points.map(([at]) => at) ?? [];
  const named = (labels) => Object.values(labels).map(visible).join(", ") || visible(metric);
  return { times, series: series.map(({ labels, points }) => ({ name: named(labels), values: points.map(([, value]) => value) })) };
}

function Metric({ content, height, title }) {
  const { times, series } = seriesOf(content), legend = height > LEGEND_FROM;
  if (!times.length) return NONE;
  return html`<${LineChart} times=${times} series=${series} unit=${unitOf(content)} label=${title} onSelect=${(from, to) => zoom(from, to)}
    height=${legend ? Math.max(120, height - 24 * Math.min(series.length + 1, 5)) : height} legend=${legend} />`;
}

const lastOf = (values) => values.findLast((value) => value !== null) ?? null;

function MetricNumber({ content }) {
  const { series } = seriesOf(content), write = inUnit(unitOf(content));
  if (!series.length) return NONE;
  if (series.length === 1) return html`<p class="single">${write(lastOf(series[0].values))}</p>`;
  return html`<table class="plain top"><thead class="hidden"><tr><th>Series</th><th>Last value</th></tr></thead>
    <tbody>${series.map(({ name, values }) => html`<tr key=${name}><td>${name}</td><td class="number">${write(lastOf(values))}</td></tr>`)}</tbody></table>`;
}

function TopValues({ content, panel }) {
  const facet = content.facets[0], most = facet?.values[0]?.count ?? 0;
  if (!facet?.values.length) return NONE;
  return html`<table class="plain top"><thead class="hidden"><tr><th>Value</th><th>Share</th><th>Records</th></tr></thead>
    <tbody>${facet.values.map(({ value, count, truncated }) => html`<tr key=${value}>
      <td>${truncated ? visible(value) : html`<a href=${recordsOf(panel, facet.field, value)}>${visible(value) || "(empty)"}</a>`}</td>
      <td><meter aria-label="Share of the most frequent" value=${count} max=${most}></meter></td>
      <td class="number" title=${share(count / Math.max(1, facet.records))}>${number(count)}</td></tr>`)}</tbody></table>`;
}

const Single = ({ content }) => html`<p class="single">${number(content.total ?? 0)}</p>`;

const Log = ({ log }) => html`<li class=${levelOf(log.severity_text, log.severity_number)}>
  <time dateTime=${log.timestamp} title=${log.timestamp}>${relative(log.timestamp_ms)}</time>
  <span class="badge">${severityOf(log)}</span><span class="soft">${visible(log.service_name)}</span>
  <a href=${linkTo("/", { record: log.id, from: log.timestamp_ms - 60_000, to: log.timestamp_ms + 60_000 })}>${visible(log.body.split("\n", 1)[0].slice(0, 500))}</a></li>`;

const Trace = ({ trace }) => html`<li><span class="soft">${visible(trace.root_service)}</span>
  <a href=${linkTo(`/traces/${trace.trace_id}`)}>${visible(trace.root_name || trace.trace_id)}</a></li>`;

function List({ content }) {
  const logs = content.logs ?? [], traces = content.traces ?? [];
  if (!logs.length && !traces.length) return NONE;
  return html`<ul class="lines">${logs.map((log) => html`<${Log} key=${log.id} log=${log} />`)}
    ${traces.map((trace) => html`<${Trace} key=${trace.trace_id} trace=${trace} />`)}</ul>`;
}

const COMPONENTS = { histogram: Histogram, metric: Metric, metric_number: MetricNumber, top_values: TopValues, number: Single, logs: List };

/** What a panel shows; `height` is in pixels. */
export function Content({ panel, content, height, title }) {
  return html`<${COMPONENTS[panel.kind]} panel=${panel} content=${content} height=${height - CHROME} title=${title} />`;
}
