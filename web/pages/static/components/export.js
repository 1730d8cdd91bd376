import { useEffect, useState } from "../vendor/hooks.js";
import { get, post, wholeAddress } from "../core/api.js";
import { bodyOf } from "../core/body.js";
import { bytes, counted, number } from "../core/format.js";
import { html } from "../core/html.js";
import { Popover } from "./popover.js";
import { Problem } from "./problem.js";

const FORMATS = { ndjson: "NDJSON", csv: "CSV", parquet: "Parquet" };
const FINISHED = new Set(["done", "failed", "cancelled"]);
const WAIT_MS = 500;

/** A job, read again until it is finished. */
function useJob(first, workspace, onError) {
  const [job, setJob] = useState(first);
  useEffect(() => {
    if (FINISHED.has(job.state)) return undefined;
    const timer = setTimeout(() => get(`/jobs/${job.id}`, workspace).then((found) => setJob(found.job), onError), WAIT_MS);
    return () => clearTimeout(timer);
  }, [job]);
  return job;
}

function Job({ first, workspace, onEnd }) {
  const [error, setError] = useState(null);
  const job = useJob(first, workspace, setError), path = `/jobs/${job.id}`;
  const cancel = () => post(`${path}/cancel`, workspace).catch(setError);
  return html`<div class="export-job" role="status">
    <${Problem} error=${error} />
    ${!FINISHED.has(job.state) && html`<p>${number(job.done)} records written${job.total ? ` of ${number(job.total)}` : ""}…
      <progress aria-label="Progress" value=${job.total ? job.done : undefined} max=${job.total || undefined}></progress>
      <button type="button" class="small" onClick=${cancel}>Cancel</button></p>`}
    ${job.state === "failed" && html`<p class="bad">The export failed: ${job.error}</p>`}
    ${job.state === "cancelled" && html`<p>The export was cancelled.</p>`}
    ${job.state === "done" && html`<p><a class="button" download href=${wholeAddress(`${path}/result`, workspace)}>Download ${bytes(job.result.bytes)}</a>
      ${counted(job.result.records, "record")}</p>
      <p class="soft">On the server, the file is <code>${job.result.file}</code> in the folder of <code>EXPORT_DIR</code>.</p>`}
    ${FINISHED.has(job.state) && html`<button type="button" class="small" onClick=${onEnd}>Another export</button>`}
  </div>`;
}

function Panel({ pairs, job, setJob }) {
  const [format, setFormat] = useState("ndjson"), [safe, setSafe] = useState(true), [error, setError] = useState(null);
  const workspace = Object.fromEntries(pairs.filter(([name]) => name === "workspace_id"));
  if (job) return html`<${Job} key=${job.id} first=${job} workspace=${workspace} onEnd=${() => setJob(null)} />`;
  const asked = [...pairs, ["format", format], ...(format === "csv" && safe ? [["spreadsheet_safe", "true"]] : [])];
  const start = () => post("/jobs/export", bodyOf(asked)).then((found) => setJob(found.job), setError);
  return html`<${Problem} error=${error} />
    <fieldset><legend>Format</legend>${Object.entries(FORMATS).map(([value, name]) => html`<label key=${value}>
      <input type="radio" name="format" value=${value} checked=${format === value} onChange=${() => setFormat(value)} /> ${name}</label>`)}</fieldset>
    ${format === "csv" && html`<label><input type="checkbox" checked=${safe} onChange=${(event) => setSafe(event.target.checked)} />
      Safe for spreadsheets: an apostrophe before cells that they would run as formulas</label>`}
    <div class="tools">
      <a class="button primary" download="logs.${format}" href=${wholeAddress("/logs/export", asked)}>Download</a>
      <button type="button" onClick=${start}>Write a file on the server</button>
    </div>
    <p class="soft">A download lasts as long as this browser reads it. A file is written by a worker, also when this page is closed.</p>`;
}

/** A button that exports all records of a search: `filters()` are its parameters, as pairs, with the time range. */
export function Export({ filters }) {
  const [job, setJob] = useState(null);
  return html`<${Popover} label="Export" title="Export all records of this search" panel="export">
    ${() => html`<h2>Export all records of this search</h2><${Panel} pairs=${filters()} job=${job} setJob=${setJob} />`}
  </${Popover}>`;
}
