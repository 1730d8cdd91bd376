import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { get } from "../core/api.js";
import { number, short } from "../core/format.js";
import { html } from "../core/html.js";
import { useLoaded } from "../core/load.js";
import { and, exists, freed, include, labelOf } from "../core/query.js";
import { useStateOf } from "../core/state.js";
import { Pin } from "../components/pin.js";
import { Problem } from "../components/problem.js";
import { visible } from "../core/text.js";
import { ColumnToggle, ValueActions } from "./field_actions.js";
import { listed } from "./fields.js";
import { ask, query, searched } from "./filters.js";

const VALUES = 5, MORE_VALUES = 50;

/** A facet whose field the query names, with the values that the query leaves out, so that they can be added. */
async function withOthers(facet, parameters, signal) {
  const rest = freed(query.value, facet.field);
  if (rest === null) return { ...facet, parameters };
  const others = [...parameters.filter(([name]) => name !== "q"), ["q", rest]];
  const { facets } = await get("/logs/facets", [...others, ["fields", facet.field], ["values", VALUES]], signal);
  return { ...facets[0], parameters: others };
}

async function facetsOf(parameters, signal) {
  const answer = await get("/logs/facets", [...parameters, ["values", VALUES]], signal);
  return { ...answer, facets: await Promise.all(answer.facets.map((facet) => withOthers(facet, parameters, signal))) };
}

function Value({ name, found, records }) {
  const text = found.value, shown = text === "" ? "(empty)" : visible(text);
  return html`<li>
    ${found.truncated ? html`<span class="text" title=${shown}>${shown}</span>`
      : html`<button type="button" class="text quiet" title=${shown} aria-label="Show only records with ${labelOf(name)} ${shown}"
          onClick=${() => ask(include(query.value, name, text))}>${shown}</button>`}
    <span class="count" title=${number(found.count)}>${short(found.count)}</span>
    <meter min="0" max=${Math.max(1, records)} value=${found.count} aria-hidden="true"></meter>
    ${!found.truncated && html`<${ValueActions} name=${name} text=${text} />`}
  </li>`;
}

/** A field with its most frequent values; more are loaded on request. */
function Field({ facet, sampled }) {
  const [more, setMore] = useStateOf(facet, null), [error, setError] = useState(null);
  const name = facet.field, shown = more ?? facet, label = labelOf(name);
  const load = () => get("/logs/facets", [...facet.parameters, ["fields", name], ["values", MORE_VALUES]])
    .then(({ facets }) => setMore(facets[0]), setError);
  return html`<details class="facet" open aria-label=${label}>
    <summary><span class="name">${visible(label)}</span> <span class="soft">${short(facet.distinct_values)}</span></summary>
    <ul>${shown.values.map((found) => html`<${Value} key=${found.value} name=${name} found=${found} records=${shown.records} />`)}</ul>
    <p class="tools">
      ${shown.distinct_values > shown.values.length && !more && html`<button type="button" class="small" onClick=${load}>More values</button>`}
      <button type="button" class="small" aria-label="Show only records with a ${label}" onClick=${() => ask(and(query.value, exists(name)))}>exists</button>
      <${ColumnToggle} name=${name} />
      <${Pin} label=${html`pin<span class="hidden"> ${label}</span>`} panel=${() => ({ kind: "top_values", query: { ...searched(), fields: [name] } })} />
      ${!shown.exact && html`<span class="soft" title="Counted in a sample of ${number(sampled)} records">estimated</span>`}
    </p>
    <${Problem} error=${error} />
  </details>`;
}

/** The fields of the log records and their most frequent values. */
export function Sidebar({ parameters, version, ready }) {
  const [wanted, setWanted] = useState(""), whole = useRef(null), focused = useRef(false);
  const { content, error, loading } = useLoaded((signal) => facetsOf(parameters, signal), [version], ready);
  useEffect(() => { if (content) listed.value = content.facets.map(({ field }) => field); }, [content]);
  useEffect(() => {
    // A value that is no longer there takes the focus with it.
    if (focused.current && document.activeElement === document.body) whole.current.querySelector("input").focus({ preventScroll: true });
  }, [content]);
  const facets = content?.facets.filter(({ field }) => labelOf(field).toLowerCase().includes(wanted.toLowerCase())) ?? [];
  return html`<aside id="fields" class="sidebar" ref=${whole} aria-label="Fields" aria-busy=${loading}
    onFocusIn=${() => { focused.current = true; }} onFocusOut=${(event) => { if (event.relatedTarget) focused.current = false; }}>
    <h2>Fields</h2>
    <input type="search" aria-label="Find a field" placeholder="Find a field" value=${wanted} onInput=${(event) => setWanted(event.target.value)} />
    <${Problem} error=${error} />
    ${facets.map((facet) => html`<${Field} key=${facet.field} facet=${facet} sampled=${content.sampled_records} />`)}
    ${content && !facets.length && html`<p class="soft">No fields.</p>`}
  </aside>`;
}
