// The page's items in row order: each trace, then its spans as a tree, with a span's log records among
// its children. Nothing here is recursive, because spans can be nested thousands deep.

import { duration } from "./time.js";

const HUES = 12;

/** The items of all traces, depth first; `last` is the index of an item's last descendant. */
export function itemsOf(content) {
  const items = [];
  for (const trace of content.traces) addTrace(items, trace, content);
  items.forEach((item, place) => { item.place = item.last = place; });
  for (const item of items.toReversed()) addUp(item);
  return items;
}

function addTrace(items, trace, content) {
  const spans = trace.spans.map((span) => spanItem(span, trace, content));
  const top = item("trace", trace, trace, { name: trace.name, start: 0, length: trace.duration });
  const logs = trace.logs.map((log) => logItem(log, trace, content));
  for (const each of [...spans, ...logs]) {
    each.parent = spans[each.record.parent] ?? top;
    each.parent.children.push(each);
  }
  const pending = [top];
  while (pending.length) {
    const next = pending.pop();
    next.depth = next.parent ? next.parent.depth + 1 : 0;
    items.push(next);
    next.children.sort((a, b) => a.start - b.start);
    pending.push(...next.children.toReversed());
  }
}

function item(kind, record, trace, rest) {
  return { kind, record, trace, parent: null, children: [], spansBelow: 0, errorsBelow: 0, error: false, ...rest };
}

function spanItem(span, trace, content) {
  return item("span", span, trace, {
    name: span.name, start: span.start, length: span.duration, error: span.status === "Error",
    service: span.service, serviceName: content.services[span.service].name,
  });
}

function logItem(log, trace, content) {
  const body = log.body.slice(0, 500).trimStart().split("\n", 1)[0];
  const level = levelOf(log);
  return item("log", log, trace, {
    name: body, start: log.at, length: 0, level, error: level === "bad",
    service: log.service, serviceName: content.services[log.service].name,
  });
}

/** The CSS class of a log record's severity, by its number or its text. */
function levelOf(log) {
  if (log.severity_number >= 17 || /^(err|fatal|crit|alert|emerg)/i.test(log.severity)) return "bad";
  return log.severity_number >= 13 || /^warn/i.test(log.severity) ? "warn" : "";
}

function addUp(item) {
  const parent = item.parent;
  if (!parent) return;
  const isSpan = item.kind === "span";
  parent.last = Math.max(parent.last, item.last);
  parent.spansBelow += item.spansBelow + Number(isSpan);
  parent.errorsBelow += item.errorsBelow + Number(isSpan && item.error);
}

/** The items that have a row. Sets their `position` among their `siblings`. */
export function visibleItems(items, collapsed, withLogs) {
  const visible = [], siblings = new Map();
  for (let place = 0; place < items.length; place += 1) {
    const item = items[place];
    if (item.kind === "log" && !withLogs) continue;
    item.position = (siblings.get(item.parent) ?? 0) + 1;
    siblings.set(item.parent, item.position);
    visible.push(item);
    if (collapsed.has(item)) place = item.last;
  }
  for (const item of visible) item.siblings = siblings.get(item.parent);
  return visible;
}

export const canCollapse = (item, withLogs) => (withLogs ? item.children.length > 0 : item.spansBelow > 0);

/** The CSS class that colours a service, by its index. */
export const hue = (service) => `hue-${service % HUES}`;

/** An item's ancestors, nearest first. */
export function above(item) {
  const found = [];
  for (let parent = item.parent; parent; parent = parent.parent) found.push(parent);
  return found;
}

/** The time that a span spent outside its children. */
export function selfTime(span) {
  const end = span.start + span.length;
  let busy = 0, reached = span.start;
  for (const child of span.children.filter((each) => each.kind === "span")) {
    const from = Math.max(child.start, reached), to = Math.min(child.start + child.length, end);
    if (to > from) { busy += to - from; reached = to; }
  }
  return span.length - busy;
}

/** A span's time on the critical path. */
export const criticalTime = (span) => span.record.critical.reduce((sum, [from, to]) => sum + to - from, 0);

/** An item's tooltip. */
export function spoken(item) {
  if (item.kind === "log") return `Log, ${item.record.severity || "no severity"}, ${item.serviceName}: ${item.name}`;
  const parts = [item.kind === "trace" ? `Trace ${item.record.id}` : `${item.serviceName}: ${item.name}`,
    duration(item.length)];
  if (item.error) parts.push("error");
  if (item.errorsBelow) parts.push(`${item.errorsBelow} errors below`);
  return parts.join(", ");
}

/** An item's searchable text, in lower case. */
export function haystack(item) {
  item.text ??= texts(item).join("\n").toLowerCase();
  return item.text;
}

function texts(item) {
  const record = item.record;
  if (item.kind === "trace") return [record.id, ...record.labels];
  if (item.kind === "log") return [record.body, record.severity, item.serviceName, ...pairs(record.attributes)];
  return [item.name, item.serviceName, record.id, record.kind, record.scope, record.status, record.message,
    ...pairs(record.attributes),
    ...record.events.flatMap((event) => [event.name, ...pairs(event.attributes)])];
}

const pairs = (attributes) => Object.entries(attributes).map(([key, value]) => `${key}=${value}`);
