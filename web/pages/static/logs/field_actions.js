import { html } from "../core/html.js";
import { columns } from "../core/preferences.js";
import { either, exclude, include, labelOf } from "../core/query.js";
import { shortened } from "../core/text.js";
import { ask, query } from "./filters.js";

const NAMED = 100;

const has = (name) => columns.value.includes(name);

function toggleColumn(name) {
  columns.value = has(name) ? columns.value.filter((each) => each !== name) : [...columns.value, name];
}

/** Show only records with a value, hide them, or allow the value, too. */
export const ValueActions = ({ name, text }) => html`<span class="actions">
  <button type="button" class="small" aria-label="Show only records with ${shortened(labelOf(name), NAMED)} ${shortened(text, NAMED)}" title="Only these"
    onClick=${() => ask(include(query.value, name, text))}>+</button>
  <button type="button" class="small" aria-label="Hide records with ${shortened(labelOf(name), NAMED)} ${shortened(text, NAMED)}" title="Without these"
    onClick=${() => ask(exclude(query.value, name, text))}>−</button>
  <button type="button" class="small" aria-label="Also show records with ${shortened(labelOf(name), NAMED)} ${shortened(text, NAMED)}" title="These, too"
    onClick=${() => ask(either(query.value, name, text))}>or</button>
</span>`;

/** Show or hide a field as a column. */
export const ColumnToggle = ({ name }) => html`<button type="button" class="small" aria-pressed=${has(name)}
  aria-label="Column ${shortened(labelOf(name), NAMED)}" title=${has(name) ? "Remove the column" : "Show as a column"}
  onClick=${() => toggleColumn(name)}>col</button>`;
