// Rates and sums of what intake counts.

const sum = (bySignal) => Object.values(bySignal).reduce((total, count) => total + count, 0);

const signal = (name) => (status) => (status.system?.counters ? sum(status.system.counters[name]) : null);

/** Records of the whole system that were acknowledged, stored, and became dead letters; null if not known. */
export const accepted = signal("accepted_records"), stored = signal("stored_records"), dead = signal("dead_records");

/** Records of the workspace that were stored since the day began; null while a store is away. */
export const storedOfWorkspace = ({ workspace }) => (workspace.stored
  ? workspace.stored.reduce((total, { records }) => total + records, 0) : null);

/** How much a count has grown from one status to another; null if one does not know it. */
export function grown(count, before, after) {
  const [first, last] = [count(before), count(after)];
  return first === null || last === null ? null : Math.max(0, last - first);
}

/** Rates a second between neighbours. */
export const ratesOf = (samples, count) => samples.map((sample, place) => {
  const before = samples[place - 1], more = before ? grown(count, before, sample) : null;
  return more === null || sample.time_ms <= before.time_ms ? null : more / ((sample.time_ms - before.time_ms) / 1000);
});

/** The value below which a share of the values lies; null without values. */
export function quantile(values, share) {
  const known = values.filter((value) => value !== null).sort((one, other) => one - other);
  return known.length ? known[Math.min(known.length - 1, Math.floor(share * known.length))] : null;
}
