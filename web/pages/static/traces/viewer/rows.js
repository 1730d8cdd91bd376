// Draws visible rows only, so that a trace of many thousand spans costs no more than a screenful.

import { visible } from "../../core/text.js";
import { element } from "../../dom.js";
import { canCollapse, hue, spoken } from "./model.js";
import { duration } from "./time.js";

export const ROW_HEIGHT = 26;
const SPARE_ROWS = 3;
const INDENT = 14, DEEPEST_INDENT = 18;
const NEAR_RIGHT_EDGE = 84;

/** Draw those of `items` that are scrolled into view. */
export function drawRows(tree, items, page) {
  const first = Math.max(0, Math.floor(tree.scrollTop / ROW_HEIGHT) - SPARE_ROWS);
  const count = Math.ceil(tree.clientHeight / ROW_HEIGHT) + 2 * SPARE_ROWS;
  const rows = items.slice(first, first + count).map((item, place) => row(item, first + place, page));
  const sheet = tree.firstElementChild;
  sheet.style.height = `${items.length * ROW_HEIGHT}px`;
  sheet.replaceChildren(...rows);
  if (items.includes(page.selected)) tree.setAttribute("aria-activedescendant", rowId(page.selected));
  else tree.removeAttribute("aria-activedescendant");
}

/** Scroll a row into view, to the middle if it was far away. */
export function scrollToRow(tree, place) {
  const top = place * ROW_HEIGHT, height = tree.clientHeight;
  const above = top - tree.scrollTop, far = above < -height || above > 2 * height;
  if (far) tree.scrollTop = top - height / 2;
  else if (above < 0) tree.scrollTop = top;
  else if (above + ROW_HEIGHT > height) tree.scrollTop = top + ROW_HEIGHT - height;
}

const rowId = (item) => `row-${item.place}`;

function row(item, place, page) {
  const closed = page.collapsed.has(item), opens = canCollapse(item, page.withLogs);
  const made = element("div", {
    class: classes(item, page), role: "treeitem", id: rowId(item), "data-place": item.place,
    "aria-level": item.depth + 1, "aria-posinset": item.position, "aria-setsize": item.siblings,
    "aria-expanded": opens ? String(!closed) : null,
    "aria-selected": String(item === page.selected),
  }, nameCell(item, opens, closed), lane(item, page));
  made.style.transform = `translateY(${place * ROW_HEIGHT}px)`;
  return made;
}

function classes(item, page) {
  const given = ["row", item.kind];
  if (item.kind !== "trace") given.push(hue(item.service));
  if (item.error) given.push("error");
  if (item === page.selected) given.push("selected");
  if (page.matches) given.push(page.matches.has(item) ? "match" : "no-match");
  return given.join(" ");
}

function nameCell(item, opens, closed) {
  const cell = element("div", { class: "name" },
    element("span", { class: opens ? "caret" : "caret none", "aria-hidden": "true" }, opens ? (closed ? "▸" : "▾") : ""), ...label(item));
  cell.style.paddingLeft = `${8 + Math.min(item.depth, DEEPEST_INDENT) * INDENT}px`;
  if (item.depth > DEEPEST_INDENT) cell.append(element("span", { class: "depth", title: "Depth" }, String(item.depth)));
  if (closed && item.spansBelow) {
    cell.append(element("span", { class: item.errorsBelow ? "below bad" : "below" }, `+${item.spansBelow}`));
  }
  return cell;
}

function label(item) {
  if (item.kind === "trace") {
    return [element("strong", { class: "label" }, visible(item.name)),
      element("span", { class: "id" }, [item.record.id.slice(0, 8), ...item.record.labels].join(" · "))];
  }
  if (item.kind === "log") {
    return [element("span", { class: `severity ${item.level}` }, item.record.severity || "LOG"),
      element("span", { class: "label" }, visible(item.name))];
  }
  const parts = [element("span", { class: "dot" }), element("span", { class: "label" }, visible(item.name)),
    element("span", { class: "service" }, visible(item.serviceName))];
  return item.error ? [element("span", { class: "bad mark", role: "img", "aria-label": "Error", title: "Error" }, "!"), ...parts] : parts;
}

function lane(item, page) {
  const cell = element("div", { class: "lane" }), width = page.laneWidth;
  const shift = page.aligned ? 0 : item.trace.offset, x = (time) => page.range.x(time + shift, width);
  const left = x(item.start), right = x(item.start + item.length);
  if (item.kind === "log") {
    if (seen(left, width)) cell.append(placed("log-mark", left));
    return cell;
  }
  if (right >= 0 && left <= width) cell.append(bar(item, left, right, width));
  if (item.kind === "span") cell.append(...marks(item, page, x, width));
  cell.append(lengthText(item, left, right, width));
  return cell;
}

function bar(item, left, right, width) {
  const from = Math.max(left, -4), to = Math.min(right, width + 4);
  const made = placed("bar", from);
  made.style.width = `${Math.max(to - from, 2)}px`;
  made.title = spoken(item);
  return made;
}

function marks(item, page, x, width) {
  const critical = page.withCritical ? item.record.critical : [];
  const stretches = critical.map(([from, to]) => [Math.max(x(from), 0), Math.min(x(to), width)])
    .filter(([from, to]) => to >= from)
    .map(([from, to]) => {
      const made = placed("critical", from);
      made.style.width = `${Math.max(to - from, 1)}px`;
      return made;
    });
  const events = apart(item.record.events.map((event) => ({ event, left: x(event.at) }))
    .filter(({ left }) => seen(left, width)))
    .map(({ event, left }) => {
      const made = placed(/exception|error/i.test(event.name) ? "event bad" : "event", left);
      made.title = event.name;
      return made;
    });
  return [...stretches, ...events];
}

/** Marks at least a pixel apart; of overlapping ones, the first. */
function apart(marks) {
  let last = -Infinity;
  return marks.sort((a, b) => a.left - b.left).filter(({ left }) => {
    if (left - last < 1) return false;
    last = left;
    return true;
  });
}

function lengthText(item, left, right, width) {
  const made = element("span", { class: "length" }, duration(item.length));
  if (right < 0) made.classList.add("before");
  else if (left > width) made.classList.add("after");
  else if (right < width - NEAR_RIGHT_EDGE) made.style.left = `${Math.max(right, 0) + 8}px`;
  else if (left > NEAR_RIGHT_EDGE) made.style.right = `${width - Math.min(left, width) + 8}px`;
  else made.classList.add("inside");
  return made;
}

const seen = (left, width) => left >= 0 && left <= width;

function placed(name, left) {
  const made = element("span", { class: name, "aria-hidden": "true" });
  made.style.left = `${left}px`;
  return made;
}
