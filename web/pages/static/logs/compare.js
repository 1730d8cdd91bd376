// Which two time ranges "What changed?" compares; the address has them, so that a link shows the same.

import { set } from "../core/address.js";

const MINUTE_MS = 60_000;

/** The compared ranges of an address, null if it has none. */
export function comparedIn(pairs) {
  const text = new Map(pairs).get("compare");
  if (!text) return null;
  const [from, to, baseFrom, baseTo] = text.split("-").map(Number);
  return [from, to, baseFrom, baseTo].every(Number.isFinite) ? { from, to, baseFrom, baseTo } : null;
}

const compare = (...ends) => set({ compare: ends.map(Math.round).join("-") });

/** Compare a part of the shown range with what came before it, or after it if it is the beginning. */
export function compareWithBefore({ from, to }, { start_time_ms: start, end_time_ms: end }) {
  if (from - start >= (to - from) / 2) compare(from, to, start, from - 1);
  else compare(from, to, to + 1, end);
}

/** Compare the last ten minutes of the shown range with the hour before. */
export function compareLastMinutes({ end_time_ms: end }) {
  const from = end - 10 * MINUTE_MS;
  compare(from, end, from - 60 * MINUTE_MS, from - 1);
}
