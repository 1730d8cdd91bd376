import { visible } from "../core/text.js";
import { html } from "../core/html.js";
import { duration, number } from "../core/format.js";

const lengthOf = (parts) => parts.reduce((sum, [from, to]) => sum + to - from, 0);

const NOTHING = { spans: 0, errors: 0, critical: 0 };

/** Spans, errors and time on the critical path of a trace, by service. */
function byService(answer) {
  const found = new Map();
  for (const span of answer.spans) {
    const { spans, errors, critical } = found.get(span.service_name) ?? NOTHING;
    found.set(span.service_name, {
      spans: spans + 1, errors: errors + Number(span.status === "error"), critical: critical + lengthOf(span.critical_ms),
    });
  }
  return found;
}

/** Rows `{name, before, after}`: the whole first, then services, those that differ most first. */
function differences(first, second) {
  const [a, b] = [first, second].map(byService);
  const whole = (answer) => ({ spans: answer.span_count, errors: answer.error_count, critical: answer.duration_ms });
  const services = [...new Set([...a.keys(), ...b.keys()])]
    .map((name) => ({ name, before: a.get(name) ?? NOTHING, after: b.get(name) ?? NOTHING }));
  const change = ({ before, after }) => Math.abs(after.critical - before.critical);
  services.sort((one, other) => change(other) - change(one));
  return [{ name: "", before: whole(first), after: whole(second) }, ...services];
}

const signed = (value, shown) => (value > 0 ? `+${shown(value)}` : value < 0 ? `−${shown(-value)}` : "0");

const time = (ms) => (ms ? duration(ms) : "0");

function Row({ name, before, after }) {
  const change = after.critical - before.critical;
  const counts = (of) => (of(before) === of(after) ? number(of(before)) : `${number(of(before))} → ${number(of(after))}`);
  return html`<tr class=${name ? "" : "whole"}>
    <th scope="row">${visible(name) || "Duration"}</th>
    <td class="number">${time(before.critical)}</td><td class="number">${time(after.critical)}</td>
    <td class="number ${change > 0 ? "bad" : change < 0 ? "good" : "soft"}">${signed(change, time)}</td>
    <td class="number">${counts((each) => each.spans)}</td><td class="number">${counts((each) => each.errors)}</td></tr>`;
}

/** How the second trace differs from the first, in all and by service. */
export const Difference = ({ first, second }) => html`<div class="difference" role="region" aria-label="Differences" tabindex="0">
  <table class="grid">
    <thead><tr><th scope="col">Time on the critical path</th><th scope="col" class="number">A</th>
      <th scope="col" class="number">B</th><th scope="col" class="number">Difference</th>
      <th scope="col" class="number">Spans</th><th scope="col" class="number">Errors</th></tr></thead>
    <tbody>${differences(first, second).map((each) => html`<${Row} key=${each.name} ...${each} />`)}</tbody>
  </table>
</div>`;
