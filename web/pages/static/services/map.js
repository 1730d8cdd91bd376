import { useMemo, useState } from "../vendor/hooks.js";
import { linkTo } from "../core/address.js";
import { counted, duration, share, short } from "../core/format.js";
import { html } from "../core/html.js";
import { visible } from "../core/text.js";
import { layout, NODE } from "./layout.js";

const MOST_SERVICES = 60, MOST_LETTERS = 21, MANY_ERRORS = 0.05;

const cut = (text) => (text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS - 1)}…` : text);
const failing = ({ error_count: errors }, count) => errors / Math.max(1, count) > MANY_ERRORS;

/** The path of calls between two places: to the right, or around if the callee is not right of the caller. */
function pathOf(from, to) {
  const startX = from.x + NODE.width, startY = from.y + NODE.height / 2, endX = to.x, endY = to.y + NODE.height / 2;
  const bend = endX > startX ? (endX - startX) / 2 : NODE.across / 2;
  return `M${startX} ${startY}C${startX + bend} ${startY} ${endX - bend} ${endY} ${endX - 5} ${endY}`;
}

const described = ({ caller, callee, call_count: calls, error_count: errors, p50_ms: p50, p95_ms: p95 }) =>
  `${visible(caller)} calls ${visible(callee)}: ${counted(calls, "call")}, ${share(errors / calls)} failed, p50 ${duration(p50)}, p95 ${duration(p95)}`;

function Edge({ edge, places, near }) {
  const from = places.get(edge.caller), to = places.get(edge.callee);
  const bad = failing(edge, edge.call_count);
  const width = 1 + Math.min(4, Math.log10(edge.call_count + 1));
  return html`<path class="calls ${bad ? "bad" : ""} ${near ? "near" : ""}" d=${pathOf(from, to)} stroke-width=${width}
    marker-end="url(#${bad ? "bad-end" : "end"})"><title>${described(edge)}</title></path>`;
}

function Node({ node, place, onNear }) {
  const { service_name: name, span_count: spans } = node, bad = failing(node, spans);
  const figures = `${short(spans)} spans${node.error_count ? `, ${share(node.error_count / spans)} errors` : ""}`;
  return html`<a href=${linkTo("/traces", { service_name: name })} class="node ${bad ? "bad" : ""}"
      onMouseEnter=${() => onNear(name)} onMouseLeave=${() => onNear("")} onFocus=${() => onNear(name)} onBlur=${() => onNear("")}>
    <rect x=${place.x} y=${place.y} width=${NODE.width} height=${NODE.height} rx="7" />
    <text x=${place.x + 10} y=${place.y + 17}>${cut(visible(name))}<title>${visible(name)}</title></text>
    <text class="figures" x=${place.x + 10} y=${place.y + 32}>${figures}</text></a>`;
}

const Arrow = ({ id, name }) => html`<marker id=${id} viewBox="0 0 8 8" refX="4" refY="4" markerWidth="8" markerHeight="8"
  markerUnits="userSpaceOnUse" orient="auto"><path class=${name} d="M0 0L8 4L0 8z" /></marker>`;

/** Services and the calls between them. */
export function ServiceMap({ map }) {
  const [near, setNear] = useState("");
  const shown = map.nodes.slice(0, MOST_SERVICES), names = shown.map(({ service_name: name }) => name);
  const { nodes: places, width, height } = useMemo(() => layout(names, map.edges), [map]);
  const edges = map.edges.filter(({ caller, callee }) => caller !== callee && places.has(caller) && places.has(callee));
  const isNear = ({ caller, callee }) => near === caller || near === callee;
  return html`<section class="card" aria-label="Service map"><h2>Service map</h2>
    ${map.nodes.length > MOST_SERVICES && html`<p class="status">The ${MOST_SERVICES} services with the most spans of ${map.nodes.length}.</p>`}
    <div class="map" tabindex="0" role="group" aria-label="Services and calls"><svg class=${near ? "focused" : ""} width=${width} height=${height} viewBox="0 0 ${width} ${height}">
      <defs><${Arrow} id="end" name="arrow" /><${Arrow} id="bad-end" name="arrow bad" /></defs>
      ${edges.map((edge) => html`<${Edge} key=${`${edge.caller}\n${edge.callee}`} edge=${edge} places=${places} near=${isNear(edge)} />`)}
      ${shown.map((node) => html`<${Node} key=${node.service_name} node=${node} place=${places.get(node.service_name)} onNear=${setNear} />`)}
    </svg></div>
    <details><summary>Calls as a list</summary><ul class="calls-list">${edges.map((edge) => html`<li key=${`${edge.caller}\n${edge.callee}`}>${described(edge)}</li>`)}</ul></details>
  </section>`;
}
