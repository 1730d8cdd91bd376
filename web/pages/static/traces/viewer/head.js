// The summary and the legend above the rows.

import { byId, element } from "../../dom.js";
import { hue } from "./model.js";
import { duration } from "./time.js";

const number = new Intl.NumberFormat("en");

/** A count with separators: `1,024`. */
export const inDigits = (count) => number.format(count);

const counted = (count, name) => `${inDigits(count)} ${name}${count === 1 ? "" : "s"}`;

export function showSummary(traces) {
  const total = (of) => traces.reduce((sum, trace) => sum + of(trace), 0);
  const errors = total((trace) => trace.errorsBelow);
  byId("summary").textContent = [
    counted(traces.length, "trace"), counted(total((trace) => trace.spansBelow), "span"),
    counted(errors, "error"), counted(total((trace) => trace.record.logs.length), "log record"),
    duration(Math.max(...traces.map((trace) => trace.length))),
  ].join(" · ");
  byId("error").disabled = errors === 0;
  byId("error").textContent = errors ? `Next error (${inDigits(errors)})` : "No errors";
}

/** Show the services; a click calls `choose(name)`. */
export function showLegend(services, choose) {
  const key = (name, text) => element("li", { class: "key" }, element("span", { class: `swatch ${name}` }), text);
  byId("legend").replaceChildren(
    ...services.map((service, place) => element("li", {}, serviceButton(service, place, choose))),
    key("bad", "error"), key("line", "critical path"));
}

function serviceButton({ name, spans, errors }, place, choose) {
  const title = `${counted(spans, "span")}, ${counted(errors, "error")}`;
  return element("button", { type: "button", class: hue(place), title, onclick: () => choose(name) },
    element("span", { class: "swatch" }), name || "(no service)",
    element("span", { class: "count" }, inDigits(spans)),
    errors ? element("span", { class: "below bad" }, inDigits(errors)) : "");
}
