// Keyboard shortcuts.

import { byId } from "../../dom.js";
import { canCollapse } from "./model.js";
import { ROW_HEIGHT } from "./rows.js";

const press = (id) => () => byId(id).click();

const ANYWHERE = {
  "/": () => byId("search").focus(), "?": press("keys"), e: press("error"),
  "+": press("in"), "=": press("in"), "-": press("out"), 0: press("fit"),
  c: press("critical"), l: press("logs"), a: press("aligned"),
};

/** Handle the keys until `signal` aborts; `acts` has the functions they call: select, open, zoom, dismiss. */
export function listenToKeys(page, tree, acts, signal) {
  const move = (rows) => {
    const visible = page.rows, here = visible.indexOf(page.selected);
    acts.select(visible[Math.min(Math.max(here + rows, 0), visible.length - 1)]);
  };
  const screen = () => Math.max(1, Math.floor(tree.clientHeight / ROW_HEIGHT) - 1);
  const onRow = (act) => () => { if (page.selected) act(page.selected); };
  const isOpen = (item) => canCollapse(item, page.withLogs) && !page.collapsed.has(item);
  const inward = (item) => {
    if (isOpen(item)) move(1);
    else page.toggle(item);
  };
  const outward = (item) => {
    if (isOpen(item)) page.toggle(item);
    else if (item.parent) acts.select(item.parent);
  };
  const inTree = {
    ArrowDown: () => move(1), ArrowUp: () => move(-1), PageDown: () => move(screen()), PageUp: () => move(-screen()),
    Home: () => move(-Infinity), End: () => move(Infinity), ArrowRight: onRow(inward), ArrowLeft: onRow(outward),
    Enter: onRow(acts.open), " ": onRow((item) => page.toggle(item)),
  };
  const shifted = { ArrowRight: () => page.range.pan(0.2), ArrowLeft: () => page.range.pan(-0.2) };
  const anywhere = { ...ANYWHERE, j: () => move(1), k: () => move(-1), o: onRow(acts.open), f: onRow(acts.zoom), Escape: acts.dismiss };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
    if (event.target.matches("input, select, textarea")) return;
    const local = event.target === tree ? (event.shiftKey ? shifted : inTree) : {};
    const act = local[event.key] ?? anywhere[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }, { signal });
}
