import { rowsOf } from "../services/figures.js";

/** The answer about services as a count of requests over time, like that of log records: failed ones are errors. */
export function countsOf(answer) {
  const rows = rowsOf(answer), first = Math.floor(answer.start_time_ms / answer.interval_ms) * answer.interval_ms;
  const buckets = (rows[0]?.rates ?? []).map((_, place) => {
    const count = rows.reduce((sum, { rates }) => sum + rates[place], 0);
    const failed = rows.reduce((sum, { rates, failures }) => sum + Math.round(rates[place] * failures[place]), 0);
    return { start_ms: first + place * answer.interval_ms, count, by_level: { INFO: count - failed, ERROR: failed } };
  });
  return { total: buckets.reduce((sum, { count }) => sum + count, 0), interval_ms: answer.interval_ms, buckets };
}
