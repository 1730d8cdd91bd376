// The panel with the details of one item.
//
// `extras` may add to them: `actions(item)` returns elements below the heading, `ofValue(item, part,
// name, value)` elements behind a value, where `part` is `fact`, `attribute`, `resource`, `event` or
// `link`. `moment(text)` writes a time, which is given as RFC 3339 with nanoseconds in UTC.

import { shortened, visible } from "../../core/text.js";
import { byId, element } from "../../dom.js";
import { criticalTime, selfTime } from "./model.js";
import { duration, instant } from "./time.js";

const LONGEST_VALUE = 20_000;

const DAMAGE = {
  "": "", orphan: "Its parent span is missing.", cycle: "It is its own ancestor.",
  duplicate: "Another span has the same id.",
};

/** Show an item in the panel; `select(item)` goes to another one. */
export function showDetails(item, content, select, extras) {
  const values = (part) => (name, value) => extras.ofValue?.(item, part, name, value) ?? [];
  const context = { content, select, values, extras };
  const made = { trace: traceDetails, span: spanDetails, log: logDetails }[item.kind](item, context);
  const heading = element("h2", { id: "details-name", tabindex: -1 },
    visible(item.kind === "log" ? item.record.severity || "Log record" : item.name));
  byId("details-body").replaceChildren(heading, ...(extras.actions?.(item) ?? []), ...made.filter(Boolean));
  byId("details-body").scrollTop = 0;
}

/** The time of an item with nanoseconds; `extras.moment` writes it as the page does. */
function time(item, offset, { moment } = {}) {
  const text = instant(item.trace.start_ns, offset);
  return moment ? moment(text) : text;
}

function traceDetails(item, { content, values, extras }) {
  const trace = item.record, errors = item.errorsBelow;
  return [facts({
    "Trace id": trace.id, Start: time(item, 0, extras), Duration: duration(item.length),
    Spans: String(trace.spans.length), Errors: String(errors), "Log records": String(trace.logs.length),
    ...(trace.labels.length && content.attribute ? { [content.attribute]: trace.labels.join(", ") } : {}),
  }, values)];
}

function spanDetails(item, { content, select, values, extras }) {
  const span = item.record, waited = criticalTime(item);
  return [
    item.error && element("p", { class: "failure" }, visible(span.message) || "This span ended with an error."),
    facts({
      Service: item.serviceName, Start: time(item, item.start, extras), Duration: duration(item.length),
      "Self time": duration(selfTime(item)), "On critical path": waited ? duration(waited) : "no",
      Kind: span.kind, Status: !item.error && span.message ? `${span.status}: ${span.message}` : span.status,
      Scope: span.scope, "Span id": span.id, "Trace id": item.trace.id,
      "Parent id": span.parent_id, Problem: DAMAGE[span.damage],
    }, values),
    list("Attributes", span.attributes, values("attribute")),
    events(item, values("event"), extras),
    links(span, values("link")),
    logsOf(item, select),
    list("Resource", content.resources[span.resource], values("resource")),
  ];
}

function logDetails(item, { content, select, values, extras }) {
  const log = item.record, parent = item.parent;
  return [
    element("pre", { class: item.error ? "failure" : "", tabindex: "0" }, cut(log.body)),
    facts({
      Service: item.serviceName, Time: time(item, item.start, extras), Severity: log.severity, "Span id": log.span_id,
    }, values),
    parent.kind === "span" && section("Span", [chosen(parent.name, parent, select)]),
    list("Attributes", log.attributes, values("attribute")),
    list("Resource", content.resources[log.resource], values("resource")),
  ];
}

function events(item, ofValue, extras) {
  if (!item.record.events.length) return null;
  return section(`Events (${item.record.events.length})`, item.record.events.map((event) => element("details", {},
    element("summary", { title: time(item, event.at, extras) }, visible(event.name) || "event",
      element("span", { class: "after" }, `+${duration(event.at - item.start)}`)),
    definitions({ Time: time(item, event.at, extras), ...event.attributes }, ofValue))));
}

function links(span, ofValue) {
  if (!span.links.length) return null;
  return section(`Links (${span.links.length})`, span.links.map((link) =>
    definitions({ "Trace id": link.trace_id, "Span id": link.span_id, ...link.attributes }, ofValue)));
}

function logsOf(item, select) {
  const logs = item.children.filter((child) => child.kind === "log");
  if (!logs.length) return null;
  return section(`Log records (${logs.length})`, logs.slice(0, 200).map((log) => chosen(log.name, log, select)));
}

function chosen(text, item, select) {
  return element("button", { type: "button", class: "link", onclick: () => select(item) }, visible(text) || "(empty)");
}

function list(title, entries, ofValue) {
  return Object.keys(entries).length ? section(title, [definitions(entries, ofValue)]) : null;
}

function section(title, parts) {
  return element("section", {}, element("h3", {}, title), ...parts);
}

const facts = (entries, values) =>
  definitions(Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== "")), values("fact"));

function definitions(entries, ofValue) {
  return element("dl", {}, ...Object.entries(entries).flatMap(([key, value]) => [
    element("dt", {}, visible(key)), element("dd", {}, cut(value), ...ofValue(key, value))]));
}

function cut(text) {
  const shown = shortened(text.slice(0, LONGEST_VALUE), LONGEST_VALUE);
  return text.length <= LONGEST_VALUE ? shown : `${shown}… (${text.length} characters)`;
}
