import { useRef } from "../vendor/hooks.js";
import { linkHere, param, set } from "../core/address.js";
import { counted, number } from "../core/format.js";
import { html } from "../core/html.js";
import { include, labelOf } from "../core/query.js";
import { columns } from "../core/preferences.js";
import { zoom, zoomOut } from "../core/range.js";
import { Bars } from "../components/bars.js";
import { Pin } from "../components/pin.js";
import { BarsLegend, barsOf } from "../components/record_bars.js";
import { listed } from "./fields.js";
import { query, searched } from "./filters.js";

const GROUPED = ["service_name", "service_version", "endpoint", "scope_name", "client_id"];

const Grouping = ({ by, fields }) => html`<label class="field">by
  <select value=${by} onChange=${(event) => set({ by: event.target.value })}>
    <option value="">level</option>
    ${[...new Set([...GROUPED, ...fields, ...(by ? [by] : [])])].filter((name) => name === by || name !== "severity").map((name) => html`<option key=${name} value=${name}>${labelOf(name)}</option>`)}
  </select></label>`;

/** The log records over time, by level or by the values of a field.
 *
 * `deployments` are marked. `onCompare(selected)` asks what changed in the selected part.
 */
export function Histogram({ found, loading, deployments, selected, onSelect, onCompare, children }) {
  const by = param("by"), { buckets, entries } = barsOf(by, found);
  const whole = useRef(null);
  const clear = () => {
    onSelect(null);
    // The button that was pressed goes away with the selection.
    whole.current.querySelector("[role=application]")?.focus();
  };
  const marks = deployments.map((each) => ({ at: each.first_ms, label: `${each.service_name} ${each.service_version} appears` }));
  return html`<section class="card histogram" aria-label="Log records over time" aria-busy=${loading} ref=${whole}>
    <div class="caption">
      <div class="tools"><p><strong id="total">${number(found.total)}</strong> <span class="soft">${found.total === 1 ? "record" : "records"}</span></p>
        <${Pin} label=${html`pin<span class="hidden"> the number of records</span>`} panel=${() => ({ kind: "number", query: searched() })} align="left" /></div>
      <${BarsLegend} by=${by} entries=${entries} linkOf=${({ field, name }) => linkHere({ q: include(query.value, field, name), record: "" })} />
      <${Grouping} by=${by} fields=${[...columns.value, ...listed.value]} />
      <span class="end tools">${selected && html`
        <button type="button" class="primary small" onClick=${() => onCompare(selected)}>What changed?</button>
        <button type="button" class="small" onClick=${() => { zoom(selected.from, selected.to); clear(); }}>Zoom in</button>
        <button type="button" class="small" onClick=${clear}>Clear</button>`}
        <button type="button" class="small" onClick=${() => zoomOut(found)}>Zoom out</button>${children}</span>
    </div>
    <${Bars} buckets=${buckets} interval=${found.interval_ms} selected=${selected} onSelect=${onSelect} marks=${marks}
      label="${counted(found.total, "record")} over time. Arrow keys move, Enter selects a bar, Shift with an arrow key selects more." />
  </section>`;
}
