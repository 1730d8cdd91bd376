// One time range for all views, as texts: `now-15m`, ISO 8601, a date, or Unix milliseconds.

import { computed, signal } from "../vendor/signals.js";
import { param, set } from "./address.js";
import { zone } from "./preferences.js";

export const PRESETS = [
  ["now-5m", "Last 5 minutes"], ["now-15m", "Last 15 minutes"], ["now-1h", "Last hour"],
  ["now-6h", "Last 6 hours"], ["now-24h", "Last 24 hours"], ["now-7d", "Last 7 days"],
  ["now-30d", "Last 30 days"],
];
const DEFAULT = "now-1h";
const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const RELATIVE = /^now(?:-(\d+(?:ms|s|m|h|d|w))+)?$/;

/** The range of the address. */
export const range = computed(() => ({ from: param("from") || DEFAULT, to: param("to") || "now" }));

const DATE = /^\d{4}-\d\d-\d\d$/, WITHOUT_ZONE = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?$/;

/** A text that someone has written, as it is put into the address.
 *
 * The API takes times without a zone as UTC; where local times are shown, they are meant as such. A date as the end
 * of a range is all of that day.
 */
export function written(text, isEnd) {
  const given = text.trim(), isDate = DATE.test(given);
  if (zone.value === "utc" || !(isDate || WITHOUT_ZONE.test(given))) return given;
  const time = new Date(isDate ? `${given}T00:00` : given.replace(" ", "T"));
  if (Number.isNaN(time.getTime())) return given;
  if (isDate && isEnd) {
    time.setDate(time.getDate() + 1);
    time.setMilliseconds(-1);
  }
  return String(time.getTime());
}

/** Increased to load everything again, such as by the button "Search". */
export const asked = signal(0);

export const isRelative = computed(() =>
  RELATIVE.test(range.value.from) && RELATIVE.test(range.value.to));

function offset(text) {
  return [...text.matchAll(/(\d+)(ms|s|m|h|d|w)/g)]
    .reduce((sum, [, count, unit]) => sum + count * UNITS[unit], 0);
}

/** A relative text as Unix milliseconds at this moment; other texts stay as they are. */
function fixed(text, now) {
  return RELATIVE.test(text) ? now - offset(text) : text;
}

/** The range at this moment, as the API takes it: what is loaded together has the same range. */
export function rangeNow(given = range.value) {
  const now = Date.now();
  return { start_time_ms: fixed(given.from, now), end_time_ms: fixed(given.to, now) };
}

/** Show from one Unix millisecond to another, both included. */
export function zoom(from, to) {
  set({ from: Math.floor(from), to: Math.ceil(Math.max(to, from)) });
}

/** Show twice as much, around the same middle; `shown` has the range in milliseconds. */
export function zoomOut({ start_time_ms: start, end_time_ms: end }) {
  const more = Math.max(1000, (end - start) / 2);
  zoom(Math.max(0, start - more), Math.min(end + more, Math.max(Date.now(), end)));
}
