// The page's state. Each change schedules a redraw with the next frame.

import { byId } from "../../dom.js";
import { above, canCollapse, itemsOf, visibleItems } from "./model.js";
import { drawAxis, drawOverview, drawWindow } from "./overview.js";
import { Range } from "./range.js";
import { drawRows, scrollToRow } from "./rows.js";
import { duration } from "./time.js";

const MANY_TRACES = 10;
const SPARSE = 5;

export class Page {
  constructor(content) {
    this.content = content;
    this.items = itemsOf(content);
    this.traces = this.items.filter((item) => item.kind === "trace");
    this.collapsed = new Set(this.traces.length > MANY_TRACES ? this.traces : []);
    this.withLogs = this.withCritical = true;
    this.selected = null;
    this.matches = null;
    this.range = new Range(() => this.changed());
    this.align(this.busy() * SPARSE < this.whole());
  }

  busy() { return this.content.traces.reduce((sum, trace) => sum + trace.duration, 0); }
  whole() { return Math.max(...this.content.traces.map((trace) => trace.offset + trace.duration)); }

  /** Start each trace at 0, or at its own time. */
  align(aligned) {
    this.aligned = aligned;
    const traces = this.content.traces;
    this.range.reset(aligned ? Math.max(...traces.map((trace) => trace.duration)) : this.whole());
    this.changed({ overview: true });
  }

  /** Redraw with the next frame; `rows` and `overview` say what else is stale. */
  changed({ rows = false, overview = false } = {}) {
    this.staleRows ||= rows;
    this.staleOverview ||= overview;
    if (!this.ended) this.frame ??= requestAnimationFrame(() => this.draw());
  }

  /** Draw nothing any more. */
  end() {
    this.ended = true;
    cancelAnimationFrame(this.frame);
  }

  draw() {
    const axis = byId("axis");
    this.frame = null;
    // The page may have taken the elements away, and end this afterwards.
    if (!axis) return;
    this.laneWidth = axis.clientWidth;
    const tree = byId("tree");
    drawRows(tree, this.rows, this);
    drawAxis(this.range, this.laneWidth);
    drawWindow(this.range);
    if (this.staleOverview) drawOverview(byId("spans"), this.items, this);
    this.staleOverview = false;
    byId("shown").textContent = duration(this.range.length);
    byId("fit").disabled = byId("out").disabled = !this.range.zoomed;
  }

  /** The items that have a row. */
  get rows() {
    if (this.staleRows || !this.known) this.known = visibleItems(this.items, this.collapsed, this.withLogs);
    this.staleRows = false;
    return this.known;
  }

  /** Select an item, and bring its row and its time into view. */
  select(item) {
    for (const parent of above(item)) this.open(parent);
    if (item.kind === "log" && !this.withLogs) this.show("withLogs", true);
    this.selected = item;
    scrollToRow(byId("tree"), this.rows.indexOf(item));
    this.range.reveal(...this.timeOf(item));
    this.changed();
  }

  /** Start and end of an item as drawn. */
  timeOf(item) {
    const from = item.start + (this.aligned ? 0 : item.trace.offset);
    return [from, from + item.length];
  }

  open(item) { if (this.collapsed.delete(item)) this.changed({ rows: true }); }

  toggle(item) {
    if (!canCollapse(item, this.withLogs)) return;
    if (this.collapsed.has(item)) this.collapsed.delete(item);
    else this.close(item);
    this.changed({ rows: true });
  }

  /** Collapse an item, and select it if the selected one is below it. */
  close(item) {
    this.collapsed.add(item);
    if (this.selected && above(this.selected).includes(item)) this.selected = item;
    this.changed({ rows: true });
  }

  expandAll() {
    this.collapsed.clear();
    this.changed({ rows: true });
  }

  collapseAll() {
    this.items.filter((item) => canCollapse(item, true)).forEach((item) => this.collapsed.add(item));
    if (this.selected) this.selected = above(this.selected).at(-1) ?? this.selected;
    this.changed({ rows: true });
  }

  /** Switch `withLogs` or `withCritical`. */
  show(option, on) {
    this[option] = on;
    if (!on && option === "withLogs" && this.selected?.kind === "log") this.selected = this.selected.parent;
    this.changed({ rows: true });
  }
}
