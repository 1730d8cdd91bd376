import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/hooks.js";
import { html } from "../core/html.js";

const MARGIN = 12;

/** The tops of all rows, and the whole height as the last one; `heights` has those that are known. */
function topsOf(items, keyOf, heights, estimate) {
  const tops = new Float64Array(items.length + 1);
  for (let place = 0; place < items.length; place += 1) {
    tops[place + 1] = tops[place] + (heights.get(keyOf(items[place])) ?? estimate);
  }
  return tops;
}

/** The last place whose top is not below `offset`. */
function placeAt(tops, offset) {
  let low = 0, high = tops.length - 2;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (tops[middle] <= offset) low = middle;
    else high = middle - 1;
  }
  return Math.max(0, low);
}

/** A scrolling list that has only the visible rows in the document.
 *
 * `row(item, place)` renders a row, of any height; `estimate` is the usual height in pixels. What
 * is visible stays where it is when items are added above it. `onEnd` is called near the last row,
 * `onScroll(top)` whenever the list scrolls; `focus` is the place of a row that has to be visible.
 */
export function VirtualList({ items, keyOf, row, estimate, onEnd, onScroll, focus = -1, ...attributes }) {
  const outer = useRef(null), inner = useRef(null), heights = useRef(new Map()), anchor = useRef(null);
  const [view, setView] = useState({ top: 0, height: 800 }), [version, setVersion] = useState(0);
  const tops = useMemo(() => topsOf(items, keyOf, heights.current, estimate), [items, version, estimate]);
  const first = Math.max(0, placeAt(tops, view.top) - MARGIN);
  const last = Math.min(items.length, placeAt(tops, view.top + view.height) + MARGIN + 1);

  const measure = useCallback(() => {
    let changed = false;
    for (const element of inner.current?.children ?? []) {
      const key = element.dataset.key, height = element.getBoundingClientRect().height;
      const known = heights.current.get(key);
      if (height && Math.abs((known ?? estimate) - height) > 0.5) {
        heights.current.set(key, height);
        changed = true;
      }
    }
    if (changed) setVersion((before) => before + 1);
  }, [estimate]);

  useEffect(() => {
    const watch = new ResizeObserver(() => {
      if (!outer.current) return;
      setView({ top: outer.current.scrollTop, height: outer.current.clientHeight });
      measure();
    });
    watch.observe(outer.current);
    watch.observe(inner.current);
    return () => watch.disconnect();
  }, [measure]);

  useLayoutEffect(() => {
    const kept = anchor.current;
    if (kept && view.top > 0 && keyOf(items[kept.place] ?? {}) !== kept.key) {
      const place = items.findIndex((item) => keyOf(item) === kept.key);
      if (place >= 0) outer.current.scrollTop = tops[place] + kept.below;
    }
    measure();
  });
  const at = placeAt(tops, view.top);
  anchor.current = items.length ? { key: keyOf(items[at]), place: at, below: view.top - tops[at] } : null;

  useEffect(() => { if (items.length && last >= items.length) onEnd?.(); }, [items, last]);

  useEffect(() => {
    if (focus < 0 || focus >= items.length) return;
    const top = tops[focus], bottom = tops[focus + 1], box = outer.current;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (bottom > box.scrollTop + box.clientHeight) box.scrollTop = Math.min(top, bottom - box.clientHeight);
  }, [focus]);

  const scrolled = ({ currentTarget: { scrollTop: top, clientHeight: height } }) => {
    // The event may come after the list has gone.
    if (!outer.current) return;
    setView({ top, height });
    onScroll?.(top);
  };
  return html`<div class="virtual" ref=${outer} onScroll=${scrolled} tabindex="0" ...${attributes}>
    <div style=${{ height: `${tops[items.length]}px` }} role="presentation">
      <div ref=${inner} role="presentation" style=${{ transform: `translateY(${tops[first] ?? 0}px)` }}>
        ${items.slice(first, last).map((item, place) => row(item, first + place))}
      </div>
    </div>
  </div>`;
}
