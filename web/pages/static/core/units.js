// Values of metrics in the units of OpenTelemetry, which are those of UCUM.

import { visible } from "./text.js";
import { bytes, duration, short } from "./format.js";

const MILLISECONDS = { ns: 1e-6, us: 1e-3, ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 };
const BYTES = { By: 1, KiBy: 1024, MiBy: 1024 ** 2, GiBy: 1024 ** 3, kBy: 1e3, MBy: 1e6, GBy: 1e9 };

const MOST_UNIT = 12, HUGE = 1e15;

const small = (value) => (Math.abs(value) >= HUGE ? value.toExponential(2) : value !== 0 && Math.abs(value) < 10 ? String(Number(value.toPrecision(3))) : short(value));
const signed = (format) => (value) => (value < 0 ? `−${format(-value)}` : format(value));

/** Whether values are sizes, which axes divide by powers of two. */
export const isSize = (unit) => Object.hasOwn(BYTES, unit.replace(/\/s$/, ""));

function plain(unit) {
  if (Object.hasOwn(MILLISECONDS, unit)) return signed((value) => (value ? duration(value * MILLISECONDS[unit]) : "0"));
  if (Object.hasOwn(BYTES, unit)) return signed((value) => bytes(value * BYTES[unit]));
  if (unit === "%") return (value) => `${small(value)} %`;
  // What is in braces says what is counted, which is no unit.
  const word = visible(unit.replace(/\{[^}]*\}/g, "").replace(/^1$/, ""));
  // A long one stands in the heading.
  return (value) => (word && word.length <= MOST_UNIT ? `${small(value)} ${word}` : small(value));
}

/** A function that writes values of a unit: `s`, `By`, `%`, `{request}`, or one of them with `/s`. */
export function inUnit(unit = "") {
  const each = /^(.*)\/s$/.exec(unit)?.[1], format = plain(each ?? unit);
  return (value) => {
    if (value === null || value === undefined) return "–";
    return each === undefined ? format(value) : `${format(value)}/s`;
  };
}
