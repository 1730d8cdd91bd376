import { element } from "./dom.js";

const INDENT_PX = 12, DEEPEST = 14;

/** Milliseconds as text in µs, ms or s, with three digits. */
export function duration(ms) {
  if (ms < 1) return `${Math.round(ms * 1000)} µs`;
  return ms < 1000 ? `${Number(ms.toPrecision(3))} ms` : `${Number((ms / 1000).toPrecision(3))} s`;
}

// The Content-Security-Policy forbids style attributes in markup, so the script sets single properties.
function placed(made, offset, width) {
  made.style.left = `${offset * 100}%`;
  if (width !== undefined) made.style.width = `${Math.min(width, 1 - offset) * 100}%`;
  return made;
}

function track(span, whole) {
  const at = (ms) => Math.min(Math.max(ms / whole, 0), 1);
  const marks = span.events.map((event) =>
    placed(element("i", { class: "event", title: event.name }), at(event.offset_ms)));
  const bar = element("i", { class: "span" });
  return element("span", { class: "track" },
    placed(bar, at(span.offset_ms), span.duration_ms / whole), ...marks);
}

function pairs(title, entries) {
  if (!entries.length) return [];
  const list = entries.flatMap(([key, value]) => [element("dt", {}, key), element("dd", {}, String(value))]);
  return [element("div", {}, element("h3", {}, title), element("dl", {}, ...list))];
}

function detail(span) {
  const about = ["span_id", "parent_span_id", "kind", "status", "status_message", "start", "scope_name", "damage"]
    .map((name) => [name, span[name]]).filter(([, value]) => value !== "");
  const events = span.events.map((event) =>
    [`+${duration(event.offset_ms)}`, [event.name, ...Object.entries(event.attributes).map((pair) => pair.join("="))].join(" ")]);
  const logs = span.logs.map((log) => [log.timestamp.slice(11, 23), `${log.severity_text} ${log.body}`]);
  return element("div", { class: "detail" }, element("div", { class: "groups" },
    ...pairs("Attributes", Object.entries(span.attributes)),
    ...pairs("Events", events), ...pairs("Logs", logs),
    ...pairs("Span", about), ...pairs("Resource", Object.entries(span.resource_attributes))));
}

function row(span, whole) {
  const name = element("span", { class: "name", title: span.name }, span.name,
    element("small", {}, span.damage ? `${span.service_name} · ${span.damage}` : span.service_name));
  name.style.paddingLeft = `${Math.min(span.depth, DEEPEST) * INDENT_PX}px`;
  const made = element("details", { class: span.status },
    element("summary", {}, name, track(span, whole),
      element("span", { class: "length" }, duration(span.duration_ms))));
  made.addEventListener("toggle", () => {
    if (made.open && made.childElementCount === 1) made.append(detail(span));
  });
  return made;
}

/** A trace's spans as rows that open to show details. */
export function waterfall(trace) {
  const whole = trace.duration_ms || 1;
  return element("div", { class: "waterfall", role: "group", "aria-label": "Spans" },
    ...trace.spans.map((span) => row(span, whole)));
}
