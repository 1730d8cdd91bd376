// A record's fields by the names that facets, columns and queries use.

import { signal } from "../vendor/signals.js";

/** The fields that the sidebar lists, or has listed last. */
export const listed = signal([]);

const RECORD = ["service_name", "service_version", "endpoint", "client_id", "scope_name", "trace_id", "span_id"];

/** A field's value in a record, as text; undefined if the record does not have it. */
export function valueOf(log, name) {
  const key = /^(?:attributes|resource)\[(.*)\]$/s.exec(name)?.[1];
  if (key === undefined) return Object.hasOwn(log, name) && log[name] ? String(log[name]) : undefined;
  const own = Object.hasOwn(log.log_attributes, key) && !name.startsWith("resource") ? log.log_attributes[key] : undefined;
  const found = own ?? (Object.hasOwn(log.resource_attributes, key) ? log.resource_attributes[key] : undefined);
  return found === undefined ? undefined : String(found);
}

/** The groups of a record's fields, as [title, [[name, text], …]]. */
export const groupsOf = (log) => [
  ["Attributes", Object.entries(log.log_attributes).map(([key, text]) => [`attributes[${key}]`, String(text)])],
  ["Resource", Object.entries(log.resource_attributes).map(([key, text]) => [`resource[${key}]`, String(text)])],
  ["Record", RECORD.map((name) => [name, log[name]]).filter(([, text]) => text)],
].filter(([, fields]) => fields.length);
