import { post } from "../core/api.js";
import { number, share } from "../core/format.js";
import { html } from "../core/html.js";
import { useLoaded } from "../core/load.js";
import { labelOf } from "../core/query.js";
import { visible } from "../core/text.js";
import { Problem } from "./problem.js";

const Share = ({ before, after }) => html`<span class="shares"><span class="soft">${share(before)}</span> → <strong>${share(after)}</strong>
  <span class="pair" aria-hidden="true"><meter min="0" max="1" value=${before}></meter><meter min="0" max="1" value=${after}></meter></span></span>`;

const alike = ({ field, value }) => `${labelOf(field)} ${visible(value)}`;

const Change = ({ change, linkOf }) => html`<li>
  <a href=${linkOf(change)}><span class="name">${visible(labelOf(change.field))}</span> <code>${visible(change.value) || "(empty)"}</code>
    ${change.same_records.length > 0 && html`<span class="soft same">also ${change.same_records.map(alike).join(", ")}</span>`}</a>
  ${change.new && html`<span class="new">new</span>`}
  <${Share} before=${change.baseline_share} after=${change.selection_share} />
  <span class="soft count">${number(change.baseline_count)} → ${number(change.selection_count)}</span>
</li>`;

function sizes({ selection, baseline, exact }, things) {
  const counted = `${number(selection.total)} ${things} against ${number(baseline.total)}`;
  return exact ? counted : `${counted}, estimated from a sample of ${number(selection.sampled_records + baseline.sampled_records)}`;
}

/** What is more frequent in some records than in others.
 *
 * `path` and `body` are the API's request, `about` says what is compared, `things` what is counted.
 * `linkOf(change)` is the address that shows the records of a change.
 */
export function Changes({ path, body, about, things, linkOf, onClose }) {
  const { content, error, loading } = useLoaded((signal) => post(path, body, signal), [path, JSON.stringify(body)]);
  return html`<section class="card changes" aria-label="What changed" aria-busy=${loading}>
    <div class="caption"><h2>What changed?</h2><p class="soft">${about}</p>
      <button type="button" class="small end" onClick=${onClose}>Close</button></div>
    <${Problem} error=${error} />
    ${!content && loading && html`<p class="status" role="status">Comparing…</p>`}
    ${content && html`<p class="soft">${sizes(content, things)}</p>
      ${content.changes.length ? html`<ol>${content.changes.map((change) => html`<${Change} key=${`${change.field}=${change.value}`} change=${change} linkOf=${linkOf} />`)}</ol>`
        : html`<p class="empty">No field has values that are clearly more frequent.</p>`}`}
  </section>`;
}
