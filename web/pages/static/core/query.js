// Terms of the search language, as a click adds them to a query.

const BARE_VALUE = /^[\p{L}\p{N}_][\p{L}\p{N}_.-]*$/u;
const BARE_FIELD = /^[\p{L}_][\p{L}\p{N}_.-]*$/u;
const KEYWORDS = new Set(["AND", "OR", "NOT", "TO"]);

const quoted = (text) => `"${text.replace(/[\\"]/g, "\\$&")}"`;

export const value = (text) => (BARE_VALUE.test(text) && !KEYWORDS.has(text) ? text : quoted(text));

const NAMES = { severity: "level", service_name: "service", service_version: "version", scope_name: "scope", client_id: "client" };
const COLUMNS = new Set(["body", "message", "level", "severity", "severity_text", "severity_number", "service", "service_name",
  "version", "service_version", "client", "client_id", "endpoint", "trace_id", "span_id", "scope", "scope_name", "app",
  "operation", "name", "status", "status_message", "kind", "duration_ms", "parent_span_id"]);

/** A field as the language takes it: a column's or facet's name, `attributes[key]` or `resource[key]`. */
export function field(name) {
  const key = /^attributes\[(.*)\]$/s.exec(name)?.[1];
  if (key === undefined) return NAMES[name] ?? name;
  return BARE_FIELD.test(key) && !COLUMNS.has(key) ? key : name;
}

/** A field's name as people read it: without `attributes[…]`. */
export const labelOf = (name) => name.replace(/^(?:attributes|resource)\[(.*)\]$/s, "$1");

/** The term for a field's value. */
export const term = (name, text) => `${field(name)}:${value(text)}`;

/** The term for records that have a field at all. */
export const exists = (name) => `${field(name)}:*`;

const hasOr = (query) => /\bOR\b|\|\|/.test(query.replace(/"(\\.|[^"\\])*"/gs, ""));

/** A query with another condition; one it has already is not added again. */
export function and(query, condition) {
  const before = query.trim();
  if (!before) return condition;
  if (` ${before} `.includes(` ${condition} `)) return before;
  return hasOr(before) ? `(${before}) ${condition}` : `${before} ${condition}`;
}

export const include = (query, name, text) => and(query, term(name, text));
export const exclude = (query, name, text) => and(query, `-${term(name, text)}`);

/** A query with another value allowed for a field that it names: `service:(a OR b)`. */
export function either(query, name, text) {
  const start = `${field(name)}:`;
  const words = query.trim().split(/ (?=(?:[^"]*"[^"]*")*[^"]*$)(?![^(]*\))/);
  const place = words.findIndex((word) => word.startsWith(start));
  if (place < 0) return include(query, name, text);
  const values = words[place].slice(start.length).replace(/^\((.*)\)$/s, "$1");
  words[place] = `${start}(${values} OR ${value(text)})`;
  return words.join(" ");
}
