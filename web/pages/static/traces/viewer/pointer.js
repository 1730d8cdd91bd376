// Selecting a time range with the pointer, and resizing the column of names.

import { byId } from "../../dom.js";

const NARROWEST_NAMES = 160, NARROWEST_LANES = 240;

const within = (value, least, most) => Math.min(Math.max(value, least), most);

function shareAt(event, target) {
  const box = target.getBoundingClientRect();
  return within((event.clientX - box.left) / box.width, 0, 1);
}

/** Dragging on `target`, which shows the time from and to `shown()`, selects a part of `range`. */
export function chooseByDragging(target, shown, range) {
  const mark = byId("choice");
  let first = null;
  const draw = (share) => {
    mark.style.left = `${Math.min(first.share, share) * 100}%`;
    mark.style.width = `${Math.abs(share - first.share) * 100}%`;
  };
  const choose = (share) => {
    const [from, to] = shown(), time = (part) => from + part * (to - from);
    range.show(time(Math.min(first.share, share)), time(Math.max(first.share, share)));
  };
  const end = (event) => {
    if (first && !mark.hidden && event.type === "pointerup") choose(shareAt(event, target));
    mark.hidden = true;
    first = null;
  };
  target.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    first = { x: event.clientX, share: shareAt(event, target) };
    target.setPointerCapture(event.pointerId);
  });
  target.addEventListener("pointermove", (event) => {
    if (!first) return;
    mark.hidden = Math.abs(event.clientX - first.x) < 4;
    draw(shareAt(event, target));
  });
  target.addEventListener("pointerup", end);
  target.addEventListener("pointercancel", end);
}

/** The wheel zooms with Ctrl; with Shift or sideways it pans. */
export function zoomByWheel(chart, axis, range) {
  chart.addEventListener("wheel", (event) => {
    const across = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (event.ctrlKey || event.metaKey) range.zoom(1.0025 ** event.deltaY, shareAt(event, axis));
    else if (sideways) range.pan(across / 1000);
    else return;
    event.preventDefault();
  }, { passive: false });
}

/** The pointer and the arrow keys move the divider between names and lanes. */
export function moveDivider(divider, chart, moved) {
  const width = () => Number(divider.getAttribute("aria-valuenow"));
  const set = (wanted) => {
    const most = Math.max(NARROWEST_NAMES, chart.clientWidth - NARROWEST_LANES);
    const names = Math.round(within(wanted, NARROWEST_NAMES, most));
    chart.style.setProperty("--names", `${names}px`);
    divider.setAttribute("aria-valuenow", String(names));
    divider.setAttribute("aria-valuemax", String(most));
    moved();
  };
  divider.addEventListener("pointerdown", (event) => divider.setPointerCapture(event.pointerId));
  divider.addEventListener("pointermove", (event) => {
    if (divider.hasPointerCapture(event.pointerId)) set(event.clientX - chart.getBoundingClientRect().left);
  });
  divider.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -20, ArrowRight: 20 }[event.key];
    if (step) set(width() + step);
  });
}
