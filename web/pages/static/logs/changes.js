import { linkHere, set } from "../core/address.js";
import { bodyOf } from "../core/body.js";
import { toSecond } from "../core/format.js";
import { html } from "../core/html.js";
import { and } from "../core/query.js";
import { Changes } from "../components/changes.js";
import { filters, query } from "./filters.js";

/** What is more frequent in one time range than in another: `compared` has both, in milliseconds. */
export function LogChanges({ compared: { from, to, baseFrom, baseTo } }) {
  const body = { ...bodyOf(filters.value), selection: { start_time_ms: from, end_time_ms: to },
    baseline: { start_time_ms: baseFrom, end_time_ms: baseTo } };
  const linkOf = ({ q }) => linkHere({ q: q ? and(query.value, q) : query.value, from, to, view: "", compare: "", record: "" });
  return html`<${Changes} path="/logs/changes" body=${body} things="records" linkOf=${linkOf} onClose=${() => set({ compare: "" })}
    about="${toSecond(from)} – ${toSecond(to)} against ${toSecond(baseFrom)} – ${toSecond(baseTo)}" />`;
}
