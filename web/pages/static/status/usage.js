import { param } from "../core/address.js";
import { get, wholeAddress } from "../core/api.js";
import { bytes, number } from "../core/format.js";
import { html } from "../core/html.js";
import { useLoaded } from "../core/load.js";
import { asked } from "../core/range.js";
import { Part } from "./part.js";

/** Rows of the API as days, newest first: records by signal, bytes, and refused requests. */
export function daysOf(rows) {
  const days = new Map();
  for (const { day, signal, outcome, records, bytes: size, requests } of rows) {
    if (!days.has(day)) days.set(day, { day, logs: 0, traces: 0, metrics: 0, bytes: 0, refused: 0 });
    const found = days.get(day);
    if (outcome === "stored") {
      found[signal] += records;
      found.bytes += size;
    } else found.refused += requests;
  }
  return [...days.values()].sort((one, other) => (one.day < other.day ? 1 : -1));
}

/** What was sent, day by day. */
export function Usage() {
  const workspace = param("workspace_id");
  const { content, error } = useLoaded((signal) => get("/usage", { workspace_id: workspace }, signal), [workspace, asked.value]);
  const days = daysOf(content?.usage ?? []), most = Math.max(1, ...days.map((day) => day.bytes));
  const file = html`<a href=${wholeAddress("/usage", { workspace_id: workspace, format: "csv" })} download>CSV</a>`;
  return html`<${Part} title="Usage in 30 days" id="usage" error=${error} beside=${file}>
    ${content && !days.length && html`<p class="status">Nothing was sent in the last 30 days.</p>`}
    ${days.length > 0 && html`<div class="scrolled" tabindex="0" role="group" aria-label="Usage by day"><table class="grid"><thead><tr><th>Day (UTC)</th><th class="number">Log records</th>
      <th class="number">Spans</th><th class="number">Data points</th><th class="number">Size</th><th><span class="hidden">Share of the largest day</span></th>
      <th class="number" title="Refused requests">Refused</th></tr></thead>
      <tbody>${days.map((day) => html`<tr key=${day.day}><td class="day">${day.day}</td><td class="number">${number(day.logs)}</td><td class="number">${number(day.traces)}</td>
        <td class="number">${number(day.metrics)}</td><td class="number">${bytes(day.bytes)}</td>
        <td><meter min="0" max=${most} value=${day.bytes} aria-label=${bytes(day.bytes)}></meter></td>
        <td class="number ${day.refused ? "bad" : ""}">${number(day.refused)}</td></tr>`)}</tbody></table></div>`}
    <p class="soft">Sizes are of uncompressed OTLP.</p>
  </${Part}>`;
}
