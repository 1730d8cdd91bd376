// Services with what their requests say: rate, errors and latencies.

/** Values of a service over time, one for each interval. */
function overTime(found, starts, read, otherwise) {
  const byStart = new Map(found.map((part) => [part.start_ms, read(part)]));
  return starts.map((start) => byStart.get(start) ?? otherwise);
}

function startsOf({ start_time_ms: start, end_time_ms: end, interval_ms: interval }) {
  const first = Math.floor(start / interval) * interval;
  return Array.from({ length: Math.floor((end - first) / interval) + 1 }, (_, place) => first + place * interval);
}

/** Rows of the table: figures of the whole range, and `rates`, `failures` and `slowest` over time. */
export function rowsOf(answer) {
  const starts = startsOf(answer);
  return answer.services.map((found) => ({
    name: found.service_name, rate: found.requests_per_second, errors: found.request_count ? found.error_share : null,
    p50: found.p50_ms, p95: found.p95_ms, p99: found.p99_ms,
    rates: overTime(found.over_time, starts, (part) => part.request_count, 0),
    failures: overTime(found.over_time, starts, (part) => part.error_share, 0),
    slowest: overTime(found.over_time, starts, (part) => part.p95_ms, null),
  }));
}

/** Rows in the order of a column; `-rate` is descending. Rows without a value come last. */
export function sorted(rows, order) {
  const down = order.startsWith("-"), column = down ? order.slice(1) : order;
  const compare = (one, other) => (typeof one === "string" ? one.localeCompare(other) : one - other);
  return [...rows].sort(({ [column]: one, name }, { [column]: other, name: otherName }) => {
    if (one === null || other === null) return (one === null) - (other === null) || name.localeCompare(otherName);
    return (down ? -1 : 1) * compare(one, other) || name.localeCompare(otherName);
  });
}
