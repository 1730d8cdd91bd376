// Log records over time, by level or by the values of a field: what bars and their legend show.

import { number } from "../core/format.js";
import { html } from "../core/html.js";
import { LEVELS, levelOf } from "../core/levels.js";
import { labelOf } from "../core/query.js";
import { shortened } from "../core/text.js";

const COLOURS = 8, MOST_ENTRIES = 12, MOST_CHARACTERS = 40;

const rank = (severity) => LEVELS.indexOf(levelOf(severity));

/** The sums over all buckets of what `countsOf` finds in each. */
function totalsOf(buckets, countsOf) {
  const totals = new Map();
  for (const bucket of buckets) {
    for (const [name, count] of Object.entries(countsOf(bucket))) totals.set(name, (totals.get(name) ?? 0) + count);
  }
  return [...totals];
}

/** By level, the most severe first, which is drawn at the bottom. */
const byLevel = {
  legend: (buckets) => totalsOf(buckets, (bucket) => bucket.by_level).sort(([a], [b]) => rank(b) - rank(a))
    .map(([name, count]) => ({ name, count, colour: levelOf(name), field: "severity" })),
  parts: (bucket) => totalsOf(Object.entries(bucket.by_level), ([name, count]) => ({ [levelOf(name)]: count })).sort(([a], [b]) => rank(b) - rank(a)),
};

/** The same for the values of a field; what has none of the frequent values is drawn in grey. */
function byValue(field, buckets) {
  const totals = totalsOf(buckets, (bucket) => bucket.by_value ?? {}).sort(([, a], [, b]) => b - a);
  const colours = new Map(totals.map(([name], place) => [name, `series-${place % COLOURS}`]));
  return {
    legend: () => totals.map(([name, count]) => ({ name, count, colour: colours.get(name), field })),
    parts: (bucket) => {
      const known = totals.map(([name]) => [colours.get(name), Object.hasOwn(bucket.by_value ?? {}, name) ? bucket.by_value[name] : 0]).filter(([, count]) => count);
      const rest = bucket.count - known.reduce((sum, [, count]) => sum + count, 0);
      return rest > 0 ? [...known, ["TRACE", rest]] : known;
    },
  };
}

/** The answer's buckets as `Bars` takes them, and the entries of their legend. `by` is a field, or "" for the level. */
export function barsOf(by, { buckets }) {
  const groups = by ? byValue(by, buckets) : byLevel;
  return { buckets: buckets.map((bucket) => ({ ...bucket, parts: groups.parts(bucket) })), entries: groups.legend(buckets) };
}

/** The most frequent ones, in the same order. */
function mostFrequent(entries) {
  const least = [...entries].sort((one, other) => other.count - one.count).slice(0, MOST_ENTRIES).at(-1)?.count ?? 0;
  return entries.filter(({ count }) => count >= least).slice(0, MOST_ENTRIES);
}

/** What the colours mean, with counts; `linkOf(entry)` is the address that shows only its records. */
export const BarsLegend = ({ by, entries, linkOf }) => html`<ul class="legend-of-bars" aria-label="Records by ${by ? labelOf(by) : "level"}">
  ${mostFrequent(entries).map((entry) => html`<li key=${entry.name} class=${entry.colour}>
    <a href=${linkOf(entry)}>${shortened(entry.name, MOST_CHARACTERS) || "(empty)"} ${number(entry.count)}</a></li>`)}
  ${entries.length > MOST_ENTRIES && html`<li class="soft">and ${number(entries.length - MOST_ENTRIES)} more</li>`}</ul>`;
