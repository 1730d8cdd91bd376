// The panel with the details of one item.

import { byId, element } from "./dom.js";
import { criticalTime, selfTime } from "./model.js";
import { duration, instant } from "./time.js";

const LONGEST_VALUE = 20_000;

const DAMAGE = {
  "": "", orphan: "Its parent span is missing.", cycle: "It is its own ancestor.",
  duplicate: "Another span has the same id.",
};

/** Show an item in the panel; `select(item)` goes to another one. */
export function showDetails(item, content, select) {
  const made = { trace: traceDetails, span: spanDetails, log: logDetails }[item.kind](item, content, select);
  const heading = element("h2", { id: "details-name", tabindex: -1 },
    item.kind === "log" ? item.record.severity || "Log record" : item.name);
  byId("details-body").replaceChildren(heading, ...made.filter(Boolean));
  byId("details-body").scrollTop = 0;
}

const time = (item, offset) => instant(item.trace.start_ns, offset);

function traceDetails(item, content) {
  const trace = item.record, errors = item.errorsBelow;
  return [facts({
    "Trace id": trace.id, Start: time(item, 0), Duration: duration(item.length),
    Spans: String(trace.spans.length), Errors: String(errors), "Log records": String(trace.logs.length),
    ...(trace.labels.length ? { [content.attribute]: trace.labels.join(", ") } : {}),
  })];
}

function spanDetails(item, content, select) {
  const span = item.record, waited = criticalTime(item);
  return [
    item.error && element("p", { class: "failure" }, span.message || "This span ended with an error."),
    facts({
      Service: item.serviceName, Start: time(item, item.start), Duration: duration(item.length),
      "Self time": duration(selfTime(item)), "On critical path": waited ? duration(waited) : "no",
      Kind: span.kind, Status: !item.error && span.message ? `${span.status}: ${span.message}` : span.status,
      Scope: span.scope, "Span id": span.id, "Trace id": item.trace.id,
      "Parent id": span.parent_id, Problem: DAMAGE[span.damage],
    }),
    list("Attributes", span.attributes),
    events(item),
    links(span),
    logsOf(item, select),
    list("Resource", content.resources[span.resource]),
  ];
}

function logDetails(item, content, select) {
  const log = item.record, parent = item.parent;
  return [
    element("pre", { class: item.error ? "failure" : "" }, cut(log.body)),
    facts({
      Service: item.serviceName, Time: time(item, item.start), Severity: log.severity, "Span id": log.span_id,
    }),
    parent.kind === "span" && section("Span", [chosen(parent.name, parent, select)]),
    list("Attributes", log.attributes),
    list("Resource", content.resources[log.resource]),
  ];
}

function events(item) {
  if (!item.record.events.length) return null;
  return section(`Events (${item.record.events.length})`, item.record.events.map((event) => element("details", {},
    element("summary", { title: time(item, event.at) }, event.name || "event",
      element("span", { class: "after" }, `+${duration(event.at - item.start)}`)),
    definitions({ Time: time(item, event.at), ...event.attributes }))));
}

function links(span) {
  if (!span.links.length) return null;
  return section(`Links (${span.links.length})`,
    span.links.map((link) => definitions({ "Trace id": link.trace_id, "Span id": link.span_id, ...link.attributes })));
}

function logsOf(item, select) {
  const logs = item.children.filter((child) => child.kind === "log");
  if (!logs.length) return null;
  return section(`Log records (${logs.length})`, logs.slice(0, 200).map((log) => chosen(log.name, log, select)));
}

function chosen(text, item, select) {
  return element("button", { type: "button", class: "link", onclick: () => select(item) }, text || "(empty)");
}

function list(title, entries) {
  return Object.keys(entries).length ? section(title, [definitions(entries)]) : null;
}

function section(title, parts) {
  return element("section", {}, element("h3", {}, title), ...parts);
}

const facts = (entries) => definitions(Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== "")));

function definitions(entries) {
  return element("dl", {}, ...Object.entries(entries)
    .flatMap(([key, value]) => [element("dt", {}, key), element("dd", {}, cut(value))]));
}

function cut(text) {
  return text.length <= LONGEST_VALUE ? text : `${text.slice(0, LONGEST_VALUE)}… (${text.length} characters)`;
}
