// Answers of the API about single traces, as the viewer takes them.

const US = 1000;
const AROUND_MS = 300_000;

/** An instant as the API returns it, RFC 3339 with nanoseconds, as a BigInt of Unix nanoseconds. */
function nanoseconds(text) {
  const [second, fraction = "0Z"] = text.split(".");
  const ns = fraction.slice(0, -1).padEnd(9, "0").slice(0, 9);
  return BigInt(Date.parse(`${second.replace("Z", "")}Z`)) * 1_000_000n + BigInt(ns);
}

const microseconds = (from, to) => Number(to - from) / US;

/** Values that are kept once; `place` returns a value's index. */
function table() {
  const places = new Map(), values = [];
  const place = (key, value) => {
    if (!places.has(key)) places.set(key, values.push(value) - 1);
    return places.get(key);
  };
  return { values, place };
}

/** The index of each span's parent, -1 for a root: spans are depth first. */
function parentsOf(spans) {
  const path = [];
  return spans.map((span, place) => {
    path.length = span.depth;
    const parent = path.at(-1) ?? -1;
    path.push(place);
    return parent;
  });
}

function spanOf(span, parent, tables) {
  const service = tables.service(span.service_name);
  service.spans += 1;
  service.errors += Number(span.status === "error");
  return {
    id: span.span_id, name: span.name, kind: span.kind, service: service.place, scope: span.scope_name,
    start: span.offset_ms * US, duration: span.duration_ms * US,
    critical: span.critical_ms.map(([from, to]) => [from * US, to * US]),
    status: span.status === "error" ? "Error" : span.status, message: span.status_message,
    attributes: span.attributes, resource: tables.resource(span.resource_attributes),
    events: span.events.map((event) => ({ at: event.offset_ms * US, name: event.name, attributes: event.attributes })),
    links: span.links, parent, parent_id: span.parent_span_id, damage: span.damage,
  };
}

function logOf(log, parent, start, tables) {
  return {
    at: microseconds(start, nanoseconds(log.timestamp)), span_id: log.span_id, parent,
    severity: log.severity_text, severity_number: log.severity_number,
    service: tables.service(log.service_name).place, body: log.body, attributes: log.log_attributes,
    resource: tables.resource(log.resource_attributes),
  };
}

function traceOf(answer, start, first, label, tables) {
  const parents = parentsOf(answer.spans);
  const spans = answer.spans.map((span, place) => spanOf(span, parents[place], tables));
  const logs = answer.spans.flatMap((span, place) => span.logs.map((log) => logOf(log, place, start, tables)));
  logs.push(...answer.logs.map((log) => logOf(log, -1, start, tables)));
  return {
    id: answer.trace_id, name: answer.spans[0].name, start_ns: String(start), duration: answer.duration_ms * US,
    offset: microseconds(first, start), labels: label ? [label] : [], spans, logs,
  };
}

/** The viewer's content for traces, `[answer, label]` each. */
export function contentOf(labelled) {
  const services = table(), resources = table();
  const tables = {
    service: (name) => services.values[services.place(name, { name, spans: 0, errors: 0, place: services.values.length })],
    resource: (attributes) => resources.place(JSON.stringify(attributes), attributes),
  };
  const starts = labelled.map(([answer]) => nanoseconds(answer.start));
  const first = starts.reduce((least, start) => (start < least ? start : least));
  const traces = labelled.map(([answer, label], place) => traceOf(answer, starts[place], first, label, tables));
  return { attribute: "", services: services.values, resources: resources.values, traces };
}

/** The time in which the API searches a trace's log records, as parameters of the page. */
export function timeAround({ start_ms: start, duration_ms: length }) {
  return { from: Math.floor(start - AROUND_MS), to: Math.ceil(start + length + AROUND_MS) };
}
