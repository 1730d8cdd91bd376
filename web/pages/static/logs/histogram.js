import { param, set } from "../core/address.js";
import { counted, number } from "../core/format.js";
import { html } from "../core/html.js";
import { LEVELS, levelOf } from "../core/levels.js";
import { include, labelOf } from "../core/query.js";
import { columns } from "../core/preferences.js";
import { visible } from "../core/text.js";
import { zoom, zoomOut } from "../core/range.js";
import { Bars } from "../components/bars.js";
import { ask, query } from "./filters.js";

const COLOURS = 8;
const GROUPED = ["service_name", "service_version", "endpoint", "scope_name", "client_id"];

const rank = (severity) => LEVELS.indexOf(levelOf(severity));

/** The counts of a bucket, the most severe first, which is drawn at the bottom. */
const partsOf = (bucket) => Object.entries(bucket.by_level)
  .sort(([a], [b]) => rank(b) - rank(a)).map(([name, count]) => [levelOf(name), count]);

/** The sums over all buckets of what `countsOf` finds in each. */
function totalsOf(buckets, countsOf) {
  const totals = new Map();
  for (const bucket of buckets) {
    for (const [name, count] of Object.entries(countsOf(bucket))) totals.set(name, (totals.get(name) ?? 0) + count);
  }
  return [...totals];
}

const byLevel = {
  legend: (buckets) => totalsOf(buckets, (bucket) => bucket.by_level).sort(([a], [b]) => rank(b) - rank(a))
    .map(([name, count]) => ({ name, count, colour: levelOf(name), field: "severity" })),
  parts: partsOf,
};

/** The same for the values of a field; what has none of the frequent values is drawn in grey. */
function byValue(field, buckets) {
  const totals = totalsOf(buckets, (bucket) => bucket.by_value ?? {}).sort(([, a], [, b]) => b - a);
  const colours = new Map(totals.map(([name], place) => [name, `series-${place % COLOURS}`]));
  return {
    legend: () => totals.map(([name, count]) => ({ name, count, colour: colours.get(name), field })),
    parts: (bucket) => {
      const known = totals.map(([name]) => [colours.get(name), bucket.by_value?.[name] ?? 0]).filter(([, count]) => count);
      const rest = bucket.count - known.reduce((sum, [, count]) => sum + count, 0);
      return rest > 0 ? [...known, ["TRACE", rest]] : known;
    },
  };
}

const Grouping = ({ by, fields }) => html`<label class="field">by
  <select value=${by} onChange=${(event) => set({ by: event.target.value })}>
    <option value="">level</option>
    ${[...new Set([...GROUPED, ...fields, ...(by ? [by] : [])])].map((name) => html`<option key=${name} value=${name}>${labelOf(name)}</option>`)}
  </select></label>`;

/** The log records over time, by level or by the values of a field.
 *
 * `deployments` are marked. `onCompare(selected)` asks what changed in the selected part.
 */
export function Histogram({ found, deployments, selected, onSelect, onCompare, children }) {
  const by = param("by"), groups = by ? byValue(by, found.buckets) : byLevel;
  const buckets = found.buckets.map((bucket) => ({ ...bucket, parts: groups.parts(bucket) }));
  const marks = deployments.map((each) => ({ at: each.first_ms, label: `${each.service_name} ${each.service_version} appears` }));
  return html`<section class="card histogram" aria-label="Log records over time">
    <div class="caption">
      <p><strong id="total">${number(found.total)}</strong> <span class="soft">${found.total === 1 ? "record" : "records"}</span></p>
      <ul class="legend" aria-label="Records by ${by ? labelOf(by) : "level"}">${groups.legend(found.buckets).map(({ name, count, colour, field }) => html`<li key=${name} class=${colour}>
        <button type="button" class="quiet small" onClick=${() => ask(include(query.value, field, name))}>${visible(name)} ${number(count)}</button></li>`)}</ul>
      <${Grouping} by=${by} fields=${columns.value} />
      <span class="end tools">${selected && html`
        <button type="button" class="primary small" onClick=${() => onCompare(selected)}>What changed?</button>
        <button type="button" class="small" onClick=${() => { zoom(selected.from, selected.to); onSelect(null); }}>Zoom in</button>
        <button type="button" class="small" onClick=${() => onSelect(null)}>Clear</button>`}
        <button type="button" class="small" onClick=${() => zoomOut(found)}>Zoom out</button>${children}</span>
    </div>
    <${Bars} buckets=${buckets} interval=${found.interval_ms} selected=${selected} onSelect=${onSelect} marks=${marks}
      label="${counted(found.total, "record")} over time. Arrow keys move, Enter selects a bar, Shift with an arrow key selects more." />
  </section>`;
}
