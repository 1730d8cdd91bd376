import { Sparkline } from "../components/sparkline.js";
import { bytes, duration, number, toSecond } from "../core/format.js";
import { html } from "../core/html.js";
import { quantile } from "./counters.js";
import { Figure, Part } from "./part.js";

const MOST = 30;

const seconds = (value) => (value === null ? "–" : duration(value * 1000));
const whole = (value) => (value === null ? "–" : number(Math.round(value)));

const Batch = ({ batch }) => html`<tr><td class="day">${toSecond(batch.at_ms).slice(11)}</td><td>${batch.signal}</td><td class="number">${number(batch.records)}</td>
  <td class="number">${number(batch.chunks)}</td><td class="number">${bytes(batch.bytes)}</td><td class="number">${seconds(batch.seconds)}</td>
  <td class="number">${seconds(batch.lag_seconds)}</td><td class="number ${batch.attempt > 1 ? "bad" : ""}">${batch.attempt}</td></tr>`;

/** The last batches: how large they are, how long they took, and how far they lag behind. */
export function Batches({ batches }) {
  const sizes = batches.map(({ records }) => records);
  return html`<${Part} title="Batches" id="batches">
    ${!batches.length ? html`<p class="status">None was stored yet.</p>` : html`<dl class="figures">
      <${Figure} name="Records, median" value=${whole(quantile(sizes, 0.5))} title="Of the last ${batches.length} batches" />
      <${Figure} name="Largest" value=${whole(quantile(sizes, 1))} />
      <${Figure} name="Took, median" value=${seconds(quantile(batches.map((batch) => batch.seconds), 0.5))} title="From when it was made until it was stored" />
      <${Figure} name="Lag, p95" value=${seconds(quantile(batches.map((batch) => batch.lag_seconds), 0.95))} title="From when its oldest record was acknowledged until it was stored" />
      <div class="figure"><dt>Sizes</dt><dd><${Sparkline} values=${[...sizes].reverse()} /></dd></div></dl>
    <div class="scrolled" tabindex="0" role="group" aria-label="Last batches"><table class="grid"><thead><tr><th>Stored</th><th>Signal</th><th class="number">Records</th>
      <th class="number">Chunks</th><th class="number">Size</th><th class="number">Took</th><th class="number">Lag</th><th class="number">Attempt</th></tr></thead>
      <tbody>${batches.slice(0, MOST).map((batch, place) => html`<${Batch} key=${place} batch=${batch} />`)}</tbody></table></div>`}
  </${Part}>`;
}
