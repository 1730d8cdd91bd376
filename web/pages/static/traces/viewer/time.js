// Times are microseconds since the start of the page's first trace, with fractions: nanoseconds since
// 1970 exceed the integers that a number represents exactly.

const MINUTE = 60e6, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const UNITS = [[1e6, "s"], [1e3, "ms"], [1, "µs"], [1e-3, "ns"]];
const ROUND = [MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE,
  HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY];

const two = (value) => String(Math.floor(value)).padStart(2, "0");
const unitOf = (size) => UNITS.find(([unit]) => size >= unit) ?? UNITS.at(-1);

/** A duration with three digits: `12.3 ms`, `2 min 05 s`. */
export function duration(length) {
  if (length >= DAY) return `${Math.floor(length / DAY)} d ${two((length % DAY) / HOUR)} h`;
  if (length >= HOUR) return `${Math.floor(length / HOUR)} h ${two((length % HOUR) / MINUTE)} min`;
  if (length >= MINUTE) return `${Math.floor(length / MINUTE)} min ${two((length % MINUTE) / 1e6)} s`;
  if (length <= 0) return "0 s";
  const [unit, name] = unitOf(length * 1.0005), value = length / unit;
  return `${Number(value.toPrecision(value < 1000 ? 3 : 4))} ${name}`;
}

/** The instant `offset` after a start in Unix nanoseconds, as RFC 3339 in UTC. */
export function instant(startNs, offset) {
  const time = BigInt(startNs) + BigInt(Math.round(offset * 1000)), second = 1_000_000_000n;
  const fraction = String(time % second).padStart(9, "0");
  return `${new Date(Number(time / second) * 1000).toISOString().slice(0, 19)}.${fraction}Z`;
}

/** The distance between ticks: the smallest round one that is at least `least`. */
export function tickStep(least) {
  if (least > 30e6) return ROUND.find((step) => step >= least) ?? Math.ceil(least / DAY) * DAY;
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least * 0.999);
}

/** The label at `time` on an axis that ends at `end`, with ticks `step` apart. */
export function tickLabel(time, step, end) {
  if (Math.abs(time) < step / 2) return "0";
  if (step >= MINUTE) return `${time < 0 ? "−" : ""}${clock(Math.abs(time))}`;
  const [unit, name] = unitOf(Math.max(end, step));
  const digits = Math.max(0, Math.ceil(-Math.log10(step / unit) - 1e-9));
  return `${(time / unit).toFixed(digits)} ${name}`;
}

function clock(time) {
  const days = time >= DAY ? `${Math.floor(time / DAY)} d ` : "";
  return `${days}${two((time % DAY) / HOUR)}:${two((time % HOUR) / MINUTE)} h`;
}
