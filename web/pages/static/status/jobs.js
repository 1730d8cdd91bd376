import { inWorkspace, param } from "../core/address.js";
import { get, post, wholeAddress } from "../core/api.js";
import { duration, number, relative, share, toSecond } from "../core/format.js";
import { html } from "../core/html.js";
import { visible } from "../core/text.js";
import { useAct } from "./act.js";
import { Part } from "./part.js";
import { usePolled } from "./poll.js";

const EVERY_MS = 2000, MOST = 50;
const KINDS = { delete: "Delete records", export: "Export", replay: "Replay dead letters", retention: "Retention", sample: "Sample data" };
const FINISHED = ["done", "failed", "cancelled"];

/** How far a job is. Without a total, browsers show that it is under way. */
function Progress({ job }) {
  if (job.state === "failed") return html`<span class="bad">${visible(job.error)}</span>`;
  const done = `${number(job.done)}${job.total === null ? "" : ` of ${number(job.total)}`} ${job.unit}`;
  const bar = job.state === "running" && html`<progress aria-label="Progress" max=${job.total || 1} value=${job.total ? job.done : undefined} />`;
  return html`${bar} <span>${done}${bar && job.total ? ` (${share(job.done / job.total)})` : ""}</span>`;
}

function Job({ job, act }) {
  const open = !FINISHED.includes(job.state), kind = KINDS[job.kind] ?? job.kind;
  const cancel = () => act(post(`/jobs/${job.id}/cancel`, inWorkspace()),
    () => `${kind}: ends after its current step.`);
  const took = job.finished_ms && job.started_ms ? duration(job.finished_ms - job.started_ms) : "";
  return html`<tr><td>${kind}</td><td class="state ${job.state}">${job.cancel_asked && open ? "ends" : job.state}</td>
    <td class="progress"><${Progress} job=${job} /></td>
    <td title=${toSecond(job.created_ms)}>${relative(job.created_ms)}</td><td>${took}</td>
    <td class="acts">${open && !job.cancel_asked && html`<button type="button" class="small" aria-label="Cancel ${kind}" onClick=${cancel}>Cancel</button>`}
      ${job.kind === "export" && job.state === "done" && html`<a class="button" download href=${wholeAddress(`/jobs/${job.id}/result`, inWorkspace())}>Download</a>`}</td></tr>`;
}

/** Background jobs of the workspace. */
export function Jobs() {
  const workspace = param("workspace_id");
  const { content, error, again } = usePolled((signal) => get("/jobs", { workspace_id: workspace, limit: MOST }, signal), EVERY_MS, [workspace]);
  const [act, said] = useAct(again);
  return html`<${Part} title="Jobs" id="jobs" error=${error}>${said}
    ${content && (content.jobs.length ? html`<div class="scrolled" tabindex="0" role="group" aria-label="List of jobs"><table class="grid"><thead><tr><th>Job</th><th>State</th>
      <th>Progress</th><th>Asked for</th><th>Took</th><th><span class="hidden">Actions</span></th></tr></thead>
      <tbody>${content.jobs.map((job) => html`<${Job} key=${job.id} job=${job} act=${act} />`)}</tbody></table></div>`
      : html`<p class="status">None yet. Exports, deletions and replays of many records run as jobs.</p>`)}
  </${Part}>`;
}
