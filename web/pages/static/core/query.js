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

const CONNECTIVES = new Set(["AND", "OR", "NOT", "&&", "||", "!"]);
const CLOSED_BY = { '"': '"', "/": "/" };

/** What stands between the spaces of a query: terms, groups in parentheses, connectives. */
function partsOf(query) {
  const parts = [];
  let part = "", depth = 0, closing = "";
  for (let at = 0; at < query.length; at += 1) {
    const char = query[at];
    if (char === "\\") {
      part += char + (query[at += 1] ?? "");
      continue;
    }
    if (closing) closing = char === closing ? "" : closing;
    else if (char === '"' || (char === "/" && /(^|[:(])$/.test(part))) closing = CLOSED_BY[char];
    else if ("([{".includes(char)) depth += 1;
    else if (")]}".includes(char)) depth -= 1;
    if (char === " " && !closing && depth <= 0) {
      if (part) parts.push(part);
      part = "";
    } else part += char;
  }
  return part ? [...parts, part] : parts;
}

/** The parts of a query that are all required; null if it is more than that. */
function requiredBy(query) {
  const parts = partsOf(query);
  return parts.some((part) => CONNECTIVES.has(part)) ? null : parts;
}

/** A query with another condition; one it has already is not added again. */
export function and(query, condition) {
  const before = query.trim(), required = requiredBy(before);
  if (!before || required?.includes(condition)) return before || condition;
  return required || !partsOf(before).some((part) => part === "OR" || part === "||") ? `${before} ${condition}` : `(${before}) ${condition}`;
}

/** A query without its terms that ask for values of a field; null if it has none, or they are not required. */
export function freed(query, name) {
  const required = requiredBy(query), start = `${field(name)}:`;
  if (!required?.some((part) => part.startsWith(start))) return null;
  return required.filter((part) => !part.startsWith(start)).join(" ");
}

/** A query for one value of a field, in place of others. */
export function include(query, name, text) {
  const wanted = term(name, text), rest = freed(query, name) ?? query;
  return and(requiredBy(rest)?.filter((part) => part !== `-${wanted}`).join(" ") ?? rest, wanted);
}

/** A query without a value of a field. */
export function exclude(query, name, text) {
  const unwanted = term(name, text);
  return and(requiredBy(query)?.filter((part) => part !== unwanted).join(" ") ?? query, `-${unwanted}`);
}

/** A query with another value allowed for a field that it names: `service:(a OR b)`. */
export function either(query, name, text) {
  const start = `${field(name)}:`, parts = partsOf(query);
  const place = parts.findIndex((part) => part.startsWith(start));
  if (place < 0) return include(query, name, text);
  const before = parts[place].slice(start.length), group = /^\((.*)\)$/s.exec(before)?.[1];
  if (group === undefined ? before === value(text) : partsOf(group).includes(value(text))) return query;
  parts[place] = `${start}(${group ?? before} OR ${value(text)})`;
  return parts.join(" ");
}
