import { byId, element, shape } from "./dom.js";

const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
const WIDTH = 1000, HEIGHT = 90;

const number = new Intl.NumberFormat();
const dateTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** The level of a severity number; undefined if it has none. */
export function levelOf(number) { return LEVELS[Math.floor((number - 1) / 4)]; }

/** The level that colours a record: by its severity text, else by its number, else TRACE. */
export function level(severity, number = 0) {
  const text = severity.toUpperCase();
  return LEVELS.find((name) => text.startsWith(name)) ?? (text.startsWith("CRIT") ? "FATAL" : levelOf(number) ?? "TRACE");
}

function bars(bucket, x, width, most) {
  let top = HEIGHT;
  const ordered = Object.entries(bucket.by_severity)
    .sort(([a], [b]) => LEVELS.indexOf(level(b)) - LEVELS.indexOf(level(a)));
  return ordered.map(([severity, count]) => {
    const height = (count / most) * HEIGHT;
    top -= height;
    return shape("rect", { class: level(severity), x, y: top, width: width * 0.86, height });
  });
}

function showLegend(stats) {
  byId("total").textContent = number.format(stats.total);
  byId("total-unit").textContent = stats.total === 1 ? "record" : "records";
  byId("legend").replaceChildren(...Object.entries(stats.by_severity)
    .map(([severity, count]) => element("li", { class: level(severity) }, `${severity} ${number.format(count)}`)));
}

/** Draw the counts over time; a click on a bucket calls `zoom(from, to)`. */
export function showStats(stats, zoom) {
  const buckets = stats.over_time, width = WIDTH / buckets.length;
  const most = Math.max(1, ...buckets.map((bucket) => bucket.count));
  const drawn = buckets.flatMap((bucket, place) => {
    const x = place * width, end = bucket.start_ms + stats.interval_ms - 1;
    const hit = shape("rect", { class: "hit", x, y: 0, width, height: HEIGHT },
      shape("title", {}, `${dateTime.format(bucket.start_ms)}: ${number.format(bucket.count)}`));
    hit.addEventListener("click", () => zoom(bucket.start_ms, end));
    return [...bars(bucket, x, width, most), hit];
  });
  const svg = byId("histogram");
  svg.replaceChildren(...drawn);
  svg.setAttribute("aria-label", `${number.format(stats.total)} records over time, at most ${number.format(most)} in one bar`);
  byId("axis-from").textContent = dateTime.format(stats.start_time_ms);
  byId("axis-to").textContent = dateTime.format(stats.end_time_ms);
  byId("services").replaceChildren(...Object.keys(stats.by_service)
    .filter(Boolean).sort().map((name) => element("option", { value: name })));
  showLegend(stats);
}
