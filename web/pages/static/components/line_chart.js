import { useEffect, useMemo, useRef, useState } from "../vendor/hooks.js";
import { toSecond } from "../core/format.js";
import { html } from "../core/html.js";
import { theme, zone } from "../core/preferences.js";
import { inUnit } from "../core/units.js";
import { Legend } from "./chart_legend.js";
import { loadPlot, plotIn } from "./plot.js";

const dark = matchMedia("(prefers-color-scheme: dark)");

/** One sentence about a chart, for those who do not see it. */
function summaryOf(times, series, write) {
  const values = series.flatMap((each) => each.values.filter((value) => value !== null));
  if (!values.length) return "No values.";
  const least = values.reduce((low, value) => Math.min(low, value)), most = values.reduce((high, value) => Math.max(high, value));
  return `${series.length === 1 ? series[0].name : `${series.length} series`}, ${write(least)} to ${write(most)}, `
    + `from ${toSecond(times[0])} to ${toSecond(times.at(-1))}.`;
}

/** A number that changes when the system's colours do. */
function useSystemColours() {
  const [isDark, setDark] = useState(dark.matches);
  useEffect(() => {
    const changed = () => setDark(dark.matches);
    dark.addEventListener("change", changed);
    return () => dark.removeEventListener("change", changed);
  }, []);
  return isDark;
}

/** A plot in the element of `box`, kept up to date; made anew when its look changes. */
function usePlot(box, shown, told) {
  const plot = useRef(null), latest = useRef();
  latest.current = { shown, told };
  const isDark = useSystemColours();
  const look = [theme.value, isDark, zone.value, shown.unit, shown.height, shown.names.join("\n"), Boolean(told.onSelect)];
  useEffect(() => {
    const element = box.current;
    let stopped = false;
    const size = () => ({ width: Math.max(120, element.clientWidth), height: shown.height });
    const watcher = new ResizeObserver(() => plot.current?.setSize(size()));
    loadPlot().then((uPlot) => {
      if (stopped) return;
      const current = latest.current.shown;
      const call = (name) => (...values) => latest.current.told[name]?.(...values);
      plot.current = plotIn(uPlot, element, { ...current, size: size() }, () => latest.current.shown.between,
        { onCursor: call("onCursor"), onSelect: told.onSelect && call("onSelect"), onDraw: call("onDraw") });
      watcher.observe(element);
    });
    return () => {
      stopped = true;
      watcher.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, look);
  useEffect(() => plot.current?.setData(shown.data), [shown.data]);
  useEffect(() => {
    shown.names.forEach((name, place) => {
      const show = !shown.hidden.has(name);
      if (plot.current && plot.current.series[place + 1].show !== show) plot.current.setSeries(place + 1, { show });
    });
  }, [shown.hidden]);
  return plot;
}

/** Links over a plot, such as to the trace of a measurement. What is above the axis is shown at its upper end. */
const Points = ({ points, plot, write }) => plot && points.map(({ time, value, href, title }) => {
  const { width, height } = plot.over.getBoundingClientRect();
  const left = plot.valToPos(time, "x"), wanted = plot.valToPos(value, "y"), top = Math.max(0, wanted);
  if (left < 0 || left > width || top > height) return null;
  const place = { left: `${left + plot.over.offsetLeft}px`, top: `${top + plot.over.offsetTop}px` };
  const name = `${title}, ${write(value)}, ${toSecond(time)}`;
  return html`<a key=${href + time} class="plot-point ${wanted < 0 ? "above" : ""}" href=${href} title=${name} aria-label=${name} style=${place}></a>`;
});

/** A chart of lines over time.
 *
 * Dragging over it, or Shift with the arrow keys and then Enter, calls `onSelect(from, to)` in Unix milliseconds. The arrow
 * keys move the cursor, whose values the legend shows. `legend` may be false for a small chart.
 *
 * @param {number[]} times Unix milliseconds, ascending.
 * @param {{name: string, values: (number|null)[]}[]} series One value for each time.
 * @param {[number, number]|null} between The times of the axis; by default those of the values.
 * @param {{time: number, value: number, href: string, title: string}[]} points Links that are drawn as points.
 */
export function LineChart({ times, series, unit = "", onSelect, points = [], between = null, height = 240, legend = true, label = "Chart" }) {
  const box = useRef(null), marked = useRef(null);
  const [cursor, setCursor] = useState(null), [hidden, setHidden] = useState(new Set()), [, setDrawn] = useState(0);
  const write = inUnit(unit), names = series.map(({ name }) => name);
  const data = useMemo(() => [times, ...series.map(({ values }) => values)], [times, series]);
  const someLinks = useRef(false);
  someLinks.current = points.length > 0;
  const onDraw = () => { if (someLinks.current) setDrawn((count) => count + 1); };
  const plot = usePlot(box, { names, unit, height, data, hidden, between }, { onCursor: setCursor, onSelect, onDraw });

  const moveTo = (place, selecting) => {
    const at = Math.min(times.length - 1, Math.max(0, place)), left = plot.current.valToPos(times[at], "x");
    if (!selecting) marked.current = null;
    else marked.current ??= cursor ?? at;
    plot.current.setCursor({ left, top: 0 });
    const start = marked.current === null ? left : plot.current.valToPos(times[marked.current], "x");
    plot.current.setSelect({ left: Math.min(left, start), width: Math.abs(left - start), top: 0, height: plot.current.over.clientHeight }, false);
  };
  const onKeyDown = (event) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
    if (!plot.current || !times.length || event.target !== event.currentTarget) return;
    if (event.key in steps) moveTo((cursor ?? -1) + steps[event.key], event.shiftKey);
    else if (event.key === "Enter" && marked.current !== null && cursor !== null && onSelect) {
      const ends = [times[marked.current], times[cursor]].sort((one, other) => one - other);
      moveTo(cursor, false);
      onSelect(...ends);
    } else return;
    event.preventDefault();
  };
  const said = cursor === null || times[cursor] === undefined ? ""
    : `${toSecond(times[cursor])}: ${series.slice(0, 8).map(({ name, values }) => `${name} ${write(values[cursor])}`).join(", ")}`;
  return html`<div class="line-chart">
    <div class="plot" tabindex="0" role="group" aria-roledescription="chart"
      aria-label="${label}: ${summaryOf(times, series, write)}" onKeyDown=${onKeyDown}>
      <div ref=${box}></div>
      <${Points} points=${points} plot=${plot.current} write=${write} />
    </div>
    <p class="hidden" aria-live="polite">${said}</p>
    ${legend && html`<${Legend} times=${times} series=${series} cursor=${cursor} write=${write} hidden=${hidden} onHidden=${setHidden} />`}
  </div>`;
}
