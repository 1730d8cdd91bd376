// The overview of all spans, with the visible time range, and the axis below it.

import { byId, element } from "../../dom.js";
import { hue } from "./model.js";
import { tickLabel, tickStep } from "./time.js";

const TICK_DISTANCE = 90;

/** Draw every span as a thin line, coloured by service, with errors on top. */
export function drawOverview(canvas, items, page) {
  const width = canvas.clientWidth, height = canvas.clientHeight, ratio = devicePixelRatio;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  const spans = items.filter((item) => item.kind === "span");
  const line = height / Math.max(spans.length, 8), colours = coloursOf(page.content.services);
  const draw = (item, place) => {
    const start = item.start + (page.aligned ? 0 : item.trace.offset);
    context.fillStyle = item.error ? colours.error : colours.services[item.service];
    context.fillRect((start / page.range.whole) * width, place * line,
      Math.max((item.length / page.range.whole) * width, 1), Math.max(line * 0.8, item.error ? 2 : 1.4));
  };
  spans.forEach(draw);
  spans.forEach((item, place) => { if (item.error) draw(item, place); });
}

function coloursOf(services) {
  const colour = (name) => getComputedStyle(byId("legend").querySelector(name)).backgroundColor;
  return { error: colour(".swatch.bad"), services: services.map((_, place) => colour(`.${hue(place)} .swatch`)) };
}

/** Mark the visible time range. */
export function drawWindow(range) {
  const shown = byId("window");
  shown.style.left = `${(range.from / range.whole) * 100}%`;
  shown.style.width = `${(range.length / range.whole) * 100}%`;
  shown.classList.toggle("whole", !range.zoomed);
}

/** Label the axis, and draw its ticks through the lanes. */
export function drawAxis(range, width) {
  const step = tickStep((range.length / Math.max(width, 1)) * TICK_DISTANCE);
  const first = Math.ceil(range.from / step), ticks = [];
  for (let number = first; number * step <= range.to; number += 1) {
    const tick = element("span", { class: "tick" }, tickLabel(number * step, step, range.to));
    tick.style.left = `${range.x(number * step, width)}px`;
    ticks.push(tick);
  }
  byId("axis").replaceChildren(...ticks);
  const style = byId("chart").style;
  style.setProperty("--tick", `${(step / range.length) * width}px`);
  style.setProperty("--first-tick", `${range.x(first * step, width)}px`);
}
