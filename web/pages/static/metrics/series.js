// Answers of the API as the series of one chart.

import { quantileName, unitOf } from "./question.js";

const MOST_SERIES = 24;

const most = (values) => values.reduce((high, value) => (value === null ? high : Math.max(high, value)), -Infinity);

function nameOf(labels, query, metric) {
  const shown = Object.values(labels).map((value) => value || "(none)").join(" · ");
  return [query.quantile && quantileName(query.quantile), shown].filter(Boolean).join(" ") || metric;
}

/** One chart of all answers: `times`, `series`, `unit`, and how many series there are in total. */
export function chartOf(queries, answers) {
  const [first] = answers, times = [];
  for (let at = first.start_time_ms; at <= first.end_time_ms; at += first.interval_ms) times.push(at);
  const series = answers.flatMap((answer, place) => answer.series.map(({ labels, points }) =>
    ({ name: nameOf(labels, queries[place], answer.metric), values: points.map(([, value]) => value) })));
  const largest = series.length > MOST_SERIES
    ? [...series].sort((one, other) => most(other.values) - most(one.values)).slice(0, MOST_SERIES) : series;
  return { times, series: largest, total: series.length, unit: unitOf(first), interval: first.interval_ms };
}
