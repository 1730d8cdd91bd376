import { Sparkline } from "../components/sparkline.js";
import { linkTo, param, set } from "../core/address.js";
import { duration, number, share } from "../core/format.js";
import { html } from "../core/html.js";
import { term } from "../core/query.js";
import { visible } from "../core/text.js";
import { sorted } from "./figures.js";

const USUAL = "-rate";
const COLUMNS = [["name", "Service"], ["rate", "Rate"], ["errors", "Errors"], ["p50", "p50"], ["p95", "p95"], ["p99", "p99"]];

const perSecond = (rate) => `${rate >= 100 ? number(Math.round(rate)) : Number(rate.toPrecision(2))}/s`;
const time = (value) => (value === null ? "–" : duration(value));

function Heading({ column, title, order }) {
  const down = order === `-${column}`, up = order === column;
  const next = down ? column : up ? `-${column}` : column === "name" ? column : `-${column}`;
  return html`<th scope="col" class=${column === "name" ? "" : "number"} aria-sort=${down ? "descending" : up ? "ascending" : undefined}>
    <button type="button" class="quiet small" onClick=${() => set({ sort: next === USUAL ? "" : next })}>${title}${down ? " ↓" : up ? " ↑" : ""}</button></th>`;
}

function Row({ row }) {
  const name = visible(row.name);
  return html`<tr><th scope="row"><a href=${linkTo("/traces", { service_name: row.name })}>${name || "(no name)"}</a></th>
    <td class="number"><${Sparkline} values=${row.rates} /><span>${perSecond(row.rate)}</span></td>
    <td class="number ${row.errors > 0.05 ? "bad" : ""}">${row.errors === null ? "–" : html`<${Sparkline} values=${row.failures} class="failures" /><span>${share(row.errors)}</span>`}</td>
    <td class="number">${time(row.p50)}</td>
    <td class="number">${row.p95 !== null && html`<${Sparkline} values=${row.slowest} />`}<span>${time(row.p95)}</span></td>
    <td class="number">${time(row.p99)}</td>
    <td class="to"><a href=${linkTo("/", { q: term("service", row.name) })} aria-label="Logs of ${name}">Logs</a>
      <a href=${linkTo("/traces", { service_name: row.name })} aria-label="Traces of ${name}">Traces</a></td></tr>`;
}

/** Services with their figures, to sort. */
export function ServiceTable({ rows }) {
  const order = param("sort") || USUAL;
  return html`<div class="wide" tabindex="0" role="group" aria-label="Services"><table class="grid services-table"><thead><tr>${COLUMNS.map(([column, title]) =>
      html`<${Heading} key=${column} column=${column} title=${title} order=${order} />`)}<th><span class="hidden">Open</span></th></tr></thead>
    <tbody>${sorted(rows, order).map((row) => html`<${Row} key=${row.name} row=${row} />`)}</tbody></table></div>`;
}
