import { html } from "../core/html.js";
import { labelOf } from "../core/query.js";
import { visible } from "../core/text.js";
import { others, removeFilter } from "./filters.js";

/** Filters beside the query. */
export function FilterChips() {
  if (!others.value.length) return null;
  return html`<ul class="chips" aria-label="More filters">${others.value.map(([name, text]) => html`<li key=${name}>
    <button type="button" class="small" aria-label="Remove filter ${visible(labelOf(name))}" onClick=${() => removeFilter(name)}>${visible(labelOf(name))} = ${visible(text)} ×</button></li>`)}</ul>`;
}
