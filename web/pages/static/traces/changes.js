import { useMemo } from "../vendor/hooks.js";
import { linkHere, param, set } from "../core/address.js";
import { html } from "../core/html.js";
import { and } from "../core/query.js";
import { rangeNow } from "../core/range.js";
import { Changes } from "../components/changes.js";

const SELECTIONS = {
  slow: ["Why slow?", { slowest_percent: 5 }, "The slowest 5 % of the spans against the others", { sort: "duration" }],
  failed: ["Why failed?", { q: "status:error" }, "Failed spans against the others", { status: "error" }],
};

/** The buttons that ask what distinguishes slow or failed spans from the others. */
export const AskWhy = () => Object.entries(SELECTIONS).map(([name, [label]]) => html`<button type="button" key=${name}
  aria-pressed=${param("compare") === name} onClick=${() => set({ compare: param("compare") === name ? "" : name })}>${label}</button>`);

/** What distinguishes slow or failed spans from the others, if the address asks for it. */
export function SpanChanges({ filters, inputs }) {
  const chosen = SELECTIONS[param("compare")], version = JSON.stringify(inputs);
  const { start_time_ms: start, end_time_ms: end } = useMemo(() => rangeNow(), [version]);
  if (!chosen) return null;
  const [, selection, about, shown] = chosen;
  const body = { ...filters, start_time_ms: start, end_time_ms: end, selection };
  const linkOf = ({ q }) => linkHere({ q: q ? and(param("q"), q) : param("q"), compare: "", ...shown });
  return html`<${Changes} key=${version} path="/traces/changes" body=${body} things="spans" about=${about} linkOf=${linkOf}
    onClose=${() => set({ compare: "" })} />`;
}
