// The parts of the viewer, empty.

import { element } from "../../dom.js";

const called = (name) => ({ "aria-label": name });

function control(id, text, attributes = {}) {
  return element("button", { id, type: "button", ...attributes }, text);
}

const together = (name, ...controls) => element("span", { class: "group", role: "group", ...called(name) }, ...controls);

const SWITCHES = [
  ["critical", "Critical path", "What determines the duration (c)"],
  ["logs", "Logs", "Log records among the spans (l)"],
  ["aligned", "Align traces", "Start all traces at 0 (a)"],
];

const SHORTCUTS = [
  ["↑ ↓ j k Page Home End", "move between rows"],
  ["→ ←", "expand or collapse a row; go to its first child or its parent"],
  ["Enter o", "show details; Escape closes them"],
  ["/", "search; Enter and Shift+Enter go through the matches"],
  ["e", "next error"],
  ["+ − 0", "zoom in, zoom out, show all; or use Ctrl and the wheel, or drag on the axis"],
  ["f", "zoom to the row; or double-click it"],
  ["Shift+← Shift+→", "move to earlier or later times"],
  ["c l a", "switch critical path, log records, alignment"],
];

/** Fill `root` with the viewer's parts. */
export function makeParts(root) {
  root.replaceChildren(tools(), element("ul", { id: "legend", class: "legend", ...called("Services") }),
    element("div", { class: "body" }, chart(), panel()), help());
}

function tools() {
  return element("div", { class: "tools", role: "toolbar", ...called("View") },
    searchBox(),
    control("error", "Next error", { title: "Next error (e)" }),
    together("Show", ...SWITCHES.map(([id, text, title]) => control(id, text, { title, "aria-pressed": "false" }))),
    together("Rows", control("collapse", "Collapse all"), control("expand", "Expand all")),
    zoomControls(),
    control("keys", "Shortcuts", { "aria-haspopup": "dialog", title: "Keyboard shortcuts (?)" }));
}

function searchBox() {
  const input = element("input", { id: "search", type: "search", placeholder: "Search  ( / )", autocomplete: "off",
    spellcheck: "false", ...called("Search names, attributes, events and log records") });
  return element("div", { class: "search", role: "search" }, input, element("output", { id: "found", for: "search" }),
    control("previous", "↑", { ...called("Previous match"), title: "Previous match (Shift+Enter)" }),
    control("next", "↓", { ...called("Next match"), title: "Next match (Enter)" }));
}

function zoomControls() {
  const shown = together("Zoom", control("out", "−", { ...called("Zoom out"), title: "Zoom out (−)" }),
    element("output", { id: "shown", ...called("Time shown") }),
    control("in", "+", { ...called("Zoom in"), title: "Zoom in (+)" }), control("fit", "Fit", { title: "Show all (0)" }));
  shown.classList.add("end");
  return shown;
}

function chart() {
  const overview = element("div", { id: "overview", class: "overview", title: "Drag to zoom; double-click to show all" },
    element("canvas", { id: "spans", role: "img", ...called("All spans over time") }), element("div", { id: "window" }));
  return element("div", { id: "chart", class: "chart" },
    element("div", { class: "head" }, element("div", { class: "name title" }, "Span"), overview,
      element("div", { id: "axis", class: "axis", "aria-hidden": "true" }), element("div", { id: "choice", hidden: true })),
    element("div", { id: "tree", class: "tree", role: "tree", tabindex: "0", ...called("Spans") }, element("div", { class: "sheet" })),
    element("div", { id: "divider", class: "divider", role: "separator", tabindex: "0", "aria-orientation": "vertical",
      ...called("Width of the name column"), "aria-valuemin": "160", "aria-valuemax": "900", "aria-valuenow": "380" }));
}

function panel() {
  return element("aside", { id: "details", class: "details", "aria-labelledby": "details-name", hidden: true },
    control("close", "×", { ...called("Close details"), title: "Close (Escape)" }), element("div", { id: "details-body" }));
}

function help() {
  return element("dialog", { id: "help", ...called("Keyboard shortcuts") },
    element("h2", {}, "Keyboard shortcuts"),
    element("dl", {}, ...SHORTCUTS.flatMap(([keys, act]) => [element("dt", {}, keys), element("dd", {}, act)])),
    element("form", { method: "dialog" }, element("button", { autofocus: true }, "Close")));
}
