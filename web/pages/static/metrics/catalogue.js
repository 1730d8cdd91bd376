import { param } from "../core/address.js";
import { get } from "../core/api.js";
import { useState } from "../vendor/hooks.js";
import { Problem } from "../components/problem.js";
import { html } from "../core/html.js";
import { useLoaded } from "../core/load.js";
import { asked, range, rangeNow } from "../core/range.js";
import { visible } from "../core/text.js";
import { choose } from "./question.js";

const MOST = 500;

const kindOf = ({ kind, monotonic }) => (kind === "sum" && monotonic ? "counter" : kind.replace("_", " "));

const Entry = ({ metric, current }) => html`<li><button type="button" class="quiet" aria-current=${current}
    onClick=${() => choose(metric)}>
  <strong>${visible(metric.name)}</strong>
  <span class="soft">${kindOf(metric)}${metric.unit && metric.unit !== "1" ? ` · ${visible(metric.unit)}` : ""}</span>
  ${metric.description && html`<span class="soft about">${visible(metric.description)}</span>`}
</button></li>`;

/** The metrics of the time range, to choose one. */
export function Catalogue({ chosen, kind }) {
  const [search, setSearch] = useState("");
  const workspace = param("workspace_id");
  const { content, error, loading } = useLoaded(
    (signal) => get("/metrics", { search: search.trim(), limit: MOST, workspace_id: workspace, ...rangeNow() }, signal),
    [search.trim(), workspace, range.value.from, range.value.to, asked.value]);
  const metrics = content?.metrics ?? [];
  return html`<section class="card catalogue" aria-label="Metrics">
    <input type="search" aria-label="Search metrics by name" placeholder="Search metrics" maxlength="200" autocomplete="off"
      spellcheck=${false} value=${search} onInput=${(event) => setSearch(event.target.value)} />
    <${Problem} error=${error} />
    ${content && !metrics.length && html`<p class="soft">${search ? "No metric has this in its name." : "No metrics in this time range."}</p>`}
    ${loading && !content && html`<p class="soft">Loading …</p>`}
    <ul>${metrics.map((metric) => html`<${Entry} key=${`${metric.name}\n${metric.kind}`} metric=${metric}
      current=${metric.name === chosen && (!kind || metric.kind === kind)} />`)}</ul>
    ${content?.has_more && html`<p class="soft">The first ${MOST}; search for the others.</p>`}
  </section>`;
}
