import { html } from "../core/html.js";

const WIDTH = 90, HEIGHT = 22;

/** Points of a line through `values`, from 0 to the largest; null where there is no value. */
function placed(values) {
  const most = Math.max(...values.filter((value) => value !== null), Number.MIN_VALUE);
  const step = WIDTH / Math.max(1, values.length - 1);
  return values.map((value, place) => (value === null ? null
    : `${(place * step).toFixed(1)} ${(HEIGHT - 1.5 - (value / most) * (HEIGHT - 3)).toFixed(1)}`));
}

/** A small line without axes. Its figures stand beside it, so it has no text. */
export function Sparkline({ values, class: name = "" }) {
  const points = placed(values);
  const path = points.map((point, place) => point && `${place && points[place - 1] ? "L" : "M"}${point}${points[place + 1] || points[place - 1] ? "" : "h.1"}`);
  return html`<svg class="sparkline ${name}" width=${WIDTH} height=${HEIGHT} viewBox="0 0 ${WIDTH} ${HEIGHT}" aria-hidden="true">
    <path d=${path.filter(Boolean).join("")} /></svg>`;
}
