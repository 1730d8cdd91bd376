import { zone } from "./preferences.js";

const numbers = new Intl.NumberFormat();
const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const shares = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const since = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });

export const number = (value) => numbers.format(value);
export const short = (value) => compact.format(value);
export const share = (value) => shares.format(value);

const two = (value) => String(value).padStart(2, "0");

function parts(ms) {
  const at = new Date(ms), utc = zone.value === "utc";
  const read = (name) => at[`get${utc ? "UTC" : ""}${name}`]();
  return {
    day: `${read("FullYear")}-${two(read("Month") + 1)}-${two(read("Date"))}`,
    minute: `${two(read("Hours"))}:${two(read("Minutes"))}`,
    second: two(read("Seconds")),
    ms: String(read("Milliseconds")).padStart(3, "0"),
  };
}

/** `2026-07-14 03:33:20.500`, in the chosen zone. */
export function moment(ms) {
  const { day, minute, second, ms: rest } = parts(ms);
  return `${day} ${minute}:${second}.${rest}`;
}

/** Like `moment`, to the second. */
export const toSecond = (ms) => moment(ms).slice(0, -4);

/** A label of an axis whose marks are `step` milliseconds apart. */
export function axisTime(ms, step) {
  const { day, minute, second, ms: rest } = parts(ms);
  if (step >= 86_400_000) return day;
  if (step >= 60_000) return minute === "00:00" ? day.slice(5) : minute;
  return step >= 1000 ? `${minute}:${second}` : `${minute}:${second}.${rest}`;
}

const STEPS = [["day", 86_400_000], ["hour", 3_600_000], ["minute", 60_000], ["second", 1000]];

/** "5 min. ago". */
export function relative(ms, now = Date.now()) {
  const past = ms - now, [unit, length] = STEPS.find(([, each]) => Math.abs(past) >= each) ?? STEPS.at(-1);
  return since.format(Math.round(past / length), unit);
}

/** Milliseconds in µs, ms, s, min or h, with three digits. */
export function duration(ms) {
  const digits = (value) => Number(value.toPrecision(3));
  if (ms < 1) return `${Math.round(ms * 1000)} µs`;
  if (ms < 1000) return `${digits(ms)} ms`;
  if (ms < 120_000) return `${digits(ms / 1000)} s`;
  return ms < 7_200_000 ? `${digits(ms / 60_000)} min` : `${digits(ms / 3_600_000)} h`;
}

const SIZES = ["bytes", "KiB", "MiB", "GiB", "TiB"];

export function bytes(count) {
  const power = Math.min(SIZES.length - 1, Math.max(0, Math.floor(Math.log2(count || 1) / 10)));
  return `${Number((count / 1024 ** power).toPrecision(3))} ${SIZES[power]}`;
}

/** "1 record", "2 records". */
export const counted = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;
