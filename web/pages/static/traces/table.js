import { linkTo } from "../core/address.js";
import { duration, moment, number, relative } from "../core/format.js";
import { html } from "../core/html.js";
import { ago } from "../core/preferences.js";
import { visible } from "../core/text.js";

const MOST_SERVICES = 4;

function Services({ names }) {
  const more = names.length - MOST_SERVICES;
  return html`<span title=${names.map(visible).join(", ")}>${names.slice(0, MOST_SERVICES).map((name) => html`<span class="service" key=${name}>${visible(name)}</span>`)}
    ${more > 0 && html`<span class="soft">+${more}</span>`}</span>`;
}

function Row({ trace, longest, chosen, choose }) {
  const name = visible(trace.root_name), service = visible(trace.root_service), failed = trace.error_count > 0;
  return html`<tr class=${failed ? "record failed" : "record"}>
    <td class="choice"><input type="checkbox" checked=${chosen} aria-label="Compare ${service}: ${name}"
      onChange=${(event) => choose(trace.trace_id, event.target.checked)} /></td>
    <td class="time"><time datetime=${trace.start} title=${trace.start}>${ago.value ? relative(trace.start_ms) : moment(trace.start_ms)}</time></td>
    <td class="root"><a href=${linkTo(`/traces/${trace.trace_id}`)} title="${service}: ${name}"><span class="soft">${service}: </span>${name}</a>
      ${trace.root_missing && html` <span class="soft">(root missing)</span>`}</td>
    <td class="length"><meter max=${longest || 1} value=${trace.duration_ms} aria-hidden="true"></meter>${duration(trace.duration_ms)}</td>
    <td class="number spans">${number(trace.span_count)}</td>
    <td class="number errors ${failed ? "bad" : "soft"}">${number(trace.error_count)}</td>
    <td class="services"><${Services} names=${trace.services} /></td>
  </tr>`;
}

/** Traces as rows; on a phone as cards. `choose(id, on)` is called when one is chosen to be compared. */
export function Table({ traces, chosen, choose, loading }) {
  const longest = Math.max(...traces.map((trace) => trace.duration_ms));
  return html`<table class="grid list" aria-label="Traces" aria-busy=${loading}>
    <thead><tr><th scope="col"><span class="hidden">Compare</span></th><th scope="col">Start</th><th scope="col">Root</th>
      <th scope="col">Duration</th><th scope="col" class="number">Spans</th><th scope="col" class="number">Errors</th>
      <th scope="col">Services</th></tr></thead>
    <tbody id="rows">${traces.map((trace) => html`<${Row} key=${trace.trace_id} trace=${trace} longest=${longest}
      chosen=${chosen.includes(trace.trace_id)} choose=${choose} />`)}</tbody>
  </table>`;
}
