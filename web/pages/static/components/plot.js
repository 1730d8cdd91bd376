// uPlot, set up with the page's colours, times and units.

import { axisTime } from "../core/format.js";
import { zone } from "../core/preferences.js";
import { inUnit, isSize } from "../core/units.js";

const SIZES = Array.from({ length: 51 }, (_, power) => 2 ** power);
const FONT = "11px system-ui, sans-serif";
const FEW = 30;
const STYLES = new URL("../vendor/uplot.css", import.meta.url).href;

/** Load uPlot and its style sheet, once. */
export async function loadPlot() {
  if (!document.querySelector(`link[href="${STYLES}"]`)) {
    document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: STYLES }));
  }
  return (await import("../vendor/uplot.js")).default;
}

/** The colour of a class as the canvas takes it. */
function colourOf(element, name) {
  const probe = element.appendChild(Object.assign(document.createElement("i"), { className: name }));
  const { backgroundColor } = getComputedStyle(probe);
  probe.remove();
  return backgroundColor;
}

/** How wide the labels are, so that none is cut. */
function labelWidth(plot, values, axis, cycle) {
  const sized = plot.axes[axis]._size;
  if (cycle > 1 && sized) return sized;
  plot.ctx.save();
  plot.ctx.font = FONT;
  const widest = Math.max(0, ...(values ?? []).map((text) => plot.ctx.measureText(text).width));
  plot.ctx.restore();
  return Math.ceil(widest) + 18;
}

function axes(element, unit) {
  const lines = { stroke: colourOf(element, "plot-line"), width: 1 };
  const common = { font: FONT, stroke: colourOf(element, "plot-label"), grid: lines, ticks: { ...lines, size: 4 } };
  const write = inUnit(unit);
  return [
    { ...common, space: 80, size: 30, values: (_, splits, axis, space, step) => splits.map((at) => axisTime(at, step)) },
    { ...common, space: 36, size: labelWidth, values: (_, splits) => splits.map(write), ...(isSize(unit) && { incrs: SIZES }) },
  ];
}

/** The places of values that are drawn as points: all of a few, otherwise those without a neighbour, which no line shows. */
function pointsOf({ data }, place) {
  const values = data[place], known = (at) => values[at] !== null && values[at] !== undefined;
  const places = values.map((_, at) => at).filter(known);
  return values.length <= FEW ? places : places.filter((at) => !known(at - 1) && !known(at + 1));
}

/** From zero for rates; values that are all zero have a scale, too. */
function valueRange(uPlot, unit) {
  return (_, least, most) => {
    if (least === null || (least === 0 && most === 0)) return [0, 1];
    return uPlot.rangeNum(unit.endsWith("/s") && least > 0 ? 0 : least, most, 0.1, true);
  };
}

/** A plot inside `element`.
 *
 * @param {object} shown `names` and `hidden` of the series, `unit`, `size`, and `data` as uPlot takes it.
 * @param {function} between The times of the axis, as `[from, to]`; null for those of the data.
 * @param {object} told `onCursor(place)` with the place in the times or null, `onSelect(from, to)`, `onDraw(plot)`.
 */
export function plotIn(uPlot, element, { names, hidden, unit, size, data }, between, { onCursor, onSelect, onDraw }) {
  const lines = names.map((name, place) => {
    const stroke = colourOf(element, `line-${place % 8}`);
    return { label: name, show: !hidden.has(name), stroke, width: 1.5, points: { show: true, size: 5, fill: stroke, filter: pointsOf } };
  });
  const selected = (plot) => {
    const { left, width } = plot.select;
    if (width > 2) onSelect?.(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  };
  return new uPlot({
    ...size, ms: 1,
    tzDate: (ms) => (zone.value === "utc" ? uPlot.tzDate(new Date(ms), "Etc/UTC") : new Date(ms)),
    scales: { x: { time: true, range: (_, from, to) => between() ?? [from, to] }, y: { range: valueRange(uPlot, unit) } },
    axes: axes(element, unit),
    series: [{}, ...lines],
    legend: { show: false },
    cursor: { y: false, drag: { x: Boolean(onSelect), y: false, setScale: false }, points: { size: 7 } },
    hooks: { setCursor: [(plot) => onCursor(plot.cursor.idx ?? null)], setSelect: [selected], draw: [onDraw] },
  }, data, element);
}
