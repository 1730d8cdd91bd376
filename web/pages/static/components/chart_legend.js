import { toSecond } from "../core/format.js";
import { html } from "../core/html.js";
import { visible } from "../core/text.js";

const known = (values) => values.filter((value) => value !== null && value !== undefined);
const mean = (values) => (values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : null);
const most = (values) => (values.length ? values.reduce((high, value) => Math.max(high, value)) : null);

/** The names hidden after a click: with a modifier key all others, or none if they already are. */
function afterClick(name, names, hidden, alone) {
  if (!alone) {
    const changed = new Set(hidden);
    if (!changed.delete(name)) changed.add(name);
    return changed;
  }
  const others = names.filter((each) => each !== name);
  return others.every((each) => hidden.has(each)) && !hidden.has(name) ? new Set() : new Set(others);
}

/** The series of a chart with their values: at the cursor, or else the last, the mean and the maximum. */
export function Legend({ times, series, cursor, write, hidden, onHidden }) {
  const names = series.map(({ name }) => name), at = cursor !== null && times[cursor] !== undefined;
  return html`<div class="chart-legend" tabindex="0" role="group" aria-label="Legend"><table class="plain">
    <thead><tr><th>${at ? toSecond(times[cursor]) : "Series"}</th><th class="number">${at ? "Value" : "Last"}</th>
      <th class="number">Mean</th><th class="number">Maximum</th></tr></thead>
    <tbody>${series.map(({ name, values }, place) => {
      const some = known(values);
      return html`<tr key=${name} class=${hidden.has(name) ? "off" : ""}>
        <td><button type="button" class="quiet" aria-pressed=${!hidden.has(name)} title="Show or hide; with Shift, only this one"
          onClick=${(event) => onHidden(afterClick(name, names, hidden, event.shiftKey))}>
          <i class="swatch line-${place % 8}"></i>${visible(name)}</button></td>
        <td class="number">${write(at ? values[cursor] : some.at(-1))}</td>
        <td class="number">${write(mean(some))}</td><td class="number">${write(most(some))}</td></tr>`;
    })}</tbody></table></div>`;
}
