// What the page adds to the viewer's details: links to log records and traces, and copying.

import { linkTo, param } from "../core/address.js";
import { moment } from "../core/format.js";
import { zone } from "../core/preferences.js";
import { html } from "../core/html.js";
import { term } from "../core/query.js";
import { Copy } from "../components/copy.js";
import { render } from "../vendor/preact.js";
import { timeAround } from "./content.js";

const OF_BOTH = { Service: "service_name", "Span id": "span_id", "Trace id": "trace_id", Scope: "scope_name" };
const OF_SPANS = { ...OF_BOTH, Kind: "kind" };

/** The view of log records that carry a trace's id, and a span's; without other filters. */
export function logsOf(answer, spanId = "") {
  const span = spanId && ` ${term("span_id", spanId)}`;
  return linkTo("/", { ...timeAround(answer), q: `${term("trace_id", answer.trace_id)}${span}` });
}

/** An instant with nanoseconds in the chosen zone. */
const momentOf = (text) => moment(Date.parse(text)).slice(0, -4) + text.slice(19).replace("Z", zone.value === "utc" ? " UTC" : "");

function names(part, name) {
  if (part === "fact") return [OF_BOTH[name], OF_SPANS[name]];
  if (part === "attribute") return [`attributes[${name}]`, `attributes[${name}]`];
  return part === "resource" ? [`resource[${name}]`, `resource[${name}]`] : [];
}

function made(tag, content) {
  const holder = document.createElement(tag);
  render(content, holder);
  return holder;
}

const Find = ({ href, where, name }) => html`<a href=${href} title="Find ${name} in ${where}"
  aria-label="Find ${name} in ${where}">${where}</a>`;

function ofValue(answer, part, name, value) {
  const around = timeAround(answer), [ofLogs, ofSpans] = names(part, name);
  const range = param("from") ? {} : around;
  const trace = part === "link" && name === "Trace id";
  const holder = made("span", html`
    <${Copy} label=${html`Copy<span class="hidden"> ${name}</span>`} text=${() => value} />
    ${ofLogs && value && html`<${Find} name=${name} where="logs" href=${linkTo("/", { ...around, q: term(ofLogs, value) })} />`}
    ${ofSpans && value && html`<${Find} name=${name} where="traces" href=${linkTo("/traces", { ...range, q: term(ofSpans, value) })} />`}
    ${trace && html`<a href=${linkTo(`/traces/${value}`)}>open</a>`}`);
  holder.className = "with-value";
  return [holder];
}

function actions(answer, item) {
  const span = item.kind === "span" ? item.record.id : item.kind === "log" ? item.record.span_id : "";
  const holder = made("p", html`
    ${span && html`<a href=${logsOf(answer, span)}>Logs of this span</a>`}
    <a href=${logsOf(answer)}>Logs of this trace</a>`);
  holder.className = "actions";
  return [holder];
}

/** The extras of the viewer for the API's answers about its traces. */
export function extrasFor(answers) {
  const of = (item) => answers.find((answer) => answer.trace_id === item.trace.id);
  return {
    moment: momentOf,
    actions: (item) => actions(of(item), item),
    ofValue: (item, part, name, value) => ofValue(of(item), part, name, value),
  };
}
