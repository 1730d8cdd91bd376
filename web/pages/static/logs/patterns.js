import { get } from "../core/api.js";
import { counted, moment, number, share } from "../core/format.js";
import { html } from "../core/html.js";
import { levelOf } from "../core/levels.js";
import { useLoaded } from "../core/load.js";
import { and } from "../core/query.js";
import { shortened } from "../core/text.js";
import { Problem } from "../components/problem.js";
import { Sparkline } from "../components/sparkline.js";
import { Text } from "../components/text.js";
import { ask, query } from "./filters.js";

const MOST_LEVEL = 20, PATTERNS = 100, SPARKLINES = 20, BUCKETS = 40;

/** The records of a pattern over time. */
function OverTime({ parameters, condition }) {
  const asked = parameters.filter(([name]) => name !== "q");
  const { content } = useLoaded((signal) => get("/logs/histogram", [...asked, ["q", and(query.value, condition)], ["buckets", BUCKETS]], signal), [condition]);
  return html`<${Sparkline} values=${content?.buckets.map((bucket) => bucket.count) ?? []} />`;
}

function Pattern({ pattern, place, parameters, half }) {
  const badges = Object.entries(pattern.by_severity).map(([severity, count]) =>
    html`<span key=${severity} class="badge ${levelOf(severity)}">${shortened(severity, MOST_LEVEL)} ${number(count)}</span>`);
  const isNew = Date.parse(pattern.first_timestamp) > half;
  return html`<li>
    <span class="count">${number(pattern.count)}</span>
    <meter min="0" max="1" value=${pattern.share} title=${share(pattern.share)} aria-hidden="true"></meter>
    ${place < SPARKLINES ? html`<${OverTime} parameters=${parameters} condition=${pattern.q} />` : html`<span></span>`}
    <details><summary><code><${Text} text=${pattern.template.split("\n", 1)[0] || "(empty)"} /></code>
      ${isNew && html`<span class="new" title="First seen ${pattern.first_timestamp}">new since ${moment(Date.parse(pattern.first_timestamp)).slice(11, 19)}</span>`}</summary>
      <pre tabindex="0"><${Text} text=${pattern.example} /></pre>
      <p class="soft">${share(pattern.share)} of the records, first ${moment(Date.parse(pattern.first_timestamp))}, last ${moment(Date.parse(pattern.last_timestamp))} ${badges}</p>
    </details>
    <span class="tools">
      <button type="button" class="small" onClick=${() => ask(and(query.value, pattern.q))}>Show</button>
      <button type="button" class="small" onClick=${() => ask(and(query.value, `-${pattern.q}`))}>Hide</button>
    </span>
  </li>`;
}

/** The templates of the records' bodies, the most frequent first. */
export function PatternList({ parameters, version, found }) {
  const { content, error, loading } = useLoaded((signal) => get("/logs/patterns", [...parameters, ["limit", PATTERNS]], signal), [version]);
  const half = found ? (found.start_time_ms + found.end_time_ms) / 2 : Infinity;
  return html`<section class="card patterns" aria-label="Patterns" aria-busy=${loading}>
    <${Problem} error=${error} />
    ${content && html`<p class="soft">${counted(content.templates, "pattern")}${content.exact ? "" : ` in a sample of ${number(content.sampled_records)} records`}</p>
      <ol id="pattern-list">${content.patterns.map((pattern, place) => html`<${Pattern} key=${pattern.template} pattern=${pattern} place=${place} parameters=${parameters} half=${half} />`)}</ol>
      ${content.other > 0 && html`<p class="soft">${number(content.other)} records have other patterns.</p>`}`}
    ${!content && loading && html`<p class="status">Loading…</p>`}
  </section>`;
}
