import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { axisTime, number, short, toSecond } from "../core/format.js";
import { html } from "../core/html.js";

const LEFT = 44, BOTTOM = 18, TOP = 6, TICK_PX = 110;
const STEPS = [1, 10, 100, 500, 1000, 5000, 10_000, 30_000, 60_000, 300_000, 900_000, 1_800_000, 3_600_000, 10_800_000,
  21_600_000, 43_200_000, 86_400_000, 604_800_000];

function timeTicks(from, to, width) {
  const wanted = ((to - from) * TICK_PX) / Math.max(width, TICK_PX);
  const step = STEPS.find((each) => each >= wanted) ?? Math.ceil(wanted / STEPS.at(-1)) * STEPS.at(-1);
  const ticks = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) ticks.push(at);
  return { ticks, step };
}

function countTicks(most) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, most)));
  const step = [power, power / 2, power * 2].find((each) => most / each <= 4 && most / each >= 1.5) ?? power;
  const ticks = [];
  for (let at = step; at <= most; at += step) if (Number.isInteger(at)) ticks.push(at);
  return ticks;
}

function useWidth(element) {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const watch = new ResizeObserver(() => setWidth(element.current?.clientWidth ?? 0));
    watch.observe(element.current);
    return () => watch.disconnect();
  }, []);
  return width;
}

/** Stacked bars over time.
 *
 * `buckets` is a list of `{start_ms, count, parts: [[class, count], …]}`, each `interval` long;
 * `marks` one of `{at, label}`. Dragging, or Shift with the arrow keys, selects a part:
 * `onSelect({from, to})` gets its milliseconds, both included, or null.
 */
export function Bars({ buckets, interval, height = 110, marks = [], selected, onSelect, label }) {
  const outer = useRef(null), width = useWidth(outer), [drag, setDrag] = useState(null), [at, setAt] = useState(-1);
  const from = buckets[0]?.start_ms ?? 0, to = from + interval * buckets.length;
  const most = Math.max(1, ...buckets.map((bucket) => bucket.count));
  const inside = Math.max(1, width - LEFT - 6), bottom = height - BOTTOM, tall = bottom - TOP;
  const x = (ms) => LEFT + ((ms - from) / Math.max(1, to - from)) * inside, y = (count) => bottom - (count / most) * tall;
  const bar = inside / Math.max(1, buckets.length);

  const placeOf = (event) => {
    const offset = event.clientX - outer.current.getBoundingClientRect().left - LEFT;
    return Math.max(0, Math.min(buckets.length - 1, Math.floor(offset / bar)));
  };
  const range = (a, b) => ({ from: from + Math.min(a, b) * interval, to: from + (Math.max(a, b) + 1) * interval - 1 });
  const down = (event) => {
    if (event.button || !buckets.length) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    setDrag([placeOf(event), placeOf(event)]);
  };
  const move = (event) => {
    if (drag) setDrag([drag[0], placeOf(event)]);
    else setAt(placeOf(event));
  };
  const up = () => {
    if (drag) onSelect(range(...drag));
    setDrag(null);
  };
  const onKeyDown = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (step && buckets.length) {
      const next = Math.max(0, Math.min(buckets.length - 1, at + step));
      setAt(next);
      if (event.shiftKey) {
        const start = selected ? Math.round((selected.from - from) / interval) : Math.max(at, 0);
        onSelect(range(start, next));
      }
    } else if (event.key === "Enter" && at >= 0) onSelect(range(at, at));
    else if (event.key === "Escape" && selected) onSelect(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const chosen = drag ? range(...drag) : selected;
  const { ticks, step } = timeTicks(from, to, inside), hovered = buckets[at];
  return html`<div class="bars" ref=${outer}>
    <svg width=${width} height=${height} role="application" aria-roledescription="histogram" tabindex="0" aria-label=${label} onPointerDown=${down} onPointerMove=${move}
      onPointerUp=${up} onPointerLeave=${() => { if (!drag) setAt(-1); }} onKeyDown=${onKeyDown}>
      ${countTicks(most).map((count) => html`<g class="tick" key=${count}><line x1=${LEFT} x2=${width - 6} y1=${y(count)} y2=${y(count)} />
        <text x=${LEFT - 6} y=${y(count) + 4} text-anchor="end">${short(count)}</text></g>`)}
      ${ticks.map((ms) => html`<text class="time" key=${ms} x=${x(ms)} y=${height - 4} text-anchor="middle">${axisTime(ms, step)}</text>`)}
      ${buckets.map((bucket, place) => {
        let top = bottom;
        return html`<g key=${bucket.start_ms} class=${place === at ? "at" : ""}>${bucket.parts.map(([name, count]) => {
          const tallness = (count / most) * tall;
          top -= tallness;
          return html`<rect class=${name} x=${LEFT + place * bar} y=${top} width=${Math.max(0.5, bar * 0.88)} height=${tallness} />`;
        })}</g>`;
      })}
      ${marks.map(({ at: ms, label: name }) => html`<g class="mark" key=${`${ms}${name}`}><line x1=${x(ms)} x2=${x(ms)} y1="0" y2=${bottom} />
        <path d="M${x(ms) - 4} 0h8l-4 6z" /><title>${name}</title></g>`)}
      ${chosen && html`<rect class="selected" x=${x(chosen.from)} y="0" width=${Math.max(1, x(chosen.to) - x(chosen.from))} height=${bottom} />`}
      <line class="base" x1=${LEFT} x2=${width - 6} y1=${bottom} y2=${bottom} />
    </svg>
    <p class="readout" aria-live="polite">${hovered ? `${toSecond(hovered.start_ms)}: ${number(hovered.count)}` : ""}</p>
  </div>`;
}
