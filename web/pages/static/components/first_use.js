import { useEffect, useState } from "../vendor/hooks.js";
import { inWorkspace, param } from "../core/address.js";
import { get, post } from "../core/api.js";
import { html } from "../core/html.js";
import { Copy } from "./copy.js";
import { Problem } from "./problem.js";
import { SNIPPETS, keyNeeded } from "./snippets.js";

const WAIT_MS = 1500, NEWEST_MS = 120_000;

/** Whether the workspace has any log record since a time in Unix milliseconds. */
export async function hasRecords(signal, since = 0) {
  return (await get("/logs", { ...inWorkspace(), start_time_ms: since, limit: 1 }, signal)).logs.length > 0;
}

/** Call `check(signal)` now and then until it is true, then `onTrue`. A failure is tried again. */
function usePolling(check, onTrue, inputs) {
  useEffect(() => {
    const controller = new AbortController();
    let timer;
    const look = async () => {
      const found = !document.hidden && await check(controller.signal).catch(() => false);
      if (controller.signal.aborted) return;
      if (found) onTrue();
      else timer = setTimeout(look, WAIT_MS);
    };
    look();
    return () => { controller.abort(); clearTimeout(timer); };
  }, inputs);
}

function Snippets() {
  const [chosen, setChosen] = useState(0), text = SNIPPETS[chosen][1](param("workspace_id"));
  return html`<div class="tabs" role="group" aria-label="Way of sending">${SNIPPETS.map(([name], place) => html`<button type="button" key=${name}
      aria-pressed=${place === chosen} onClick=${() => setChosen(place)}>${name}</button>`)}</div>
    <div class="snippet"><${Copy} text=${() => text} label="Copy" /><pre tabindex="0">${text}</pre></div>
    ${keyNeeded && html`<p class="soft">Put a key with the scope <code>ingest</code> in place of <code>${"<key>"}</code>:
      see <a href="/docs/access.md" target="_blank">how to make one</a>.</p>`}`;
}

/** A job of sample data, followed to its end; `onDone` is called when it has nothing more to do. */
function SampleProgress({ first, onDone, onError }) {
  const [job, setJob] = useState(first);
  useEffect(() => {
    if (job.state === "done") return onDone();
    if (job.error || job.state === "cancelled") return onError(job);
    const timer = setTimeout(() => get(`/jobs/${job.id}`, inWorkspace()).then((found) => setJob(found.job), onError), WAIT_MS / 3);
    return () => clearTimeout(timer);
  }, [job]);
  return html`<progress aria-label="Progress" value=${job.total ? job.done : undefined} max=${job.total || undefined}></progress>`;
}

function Sample({ loading, setLoading }) {
  const [error, setError] = useState(null), [job, setJob] = useState(null);
  const failed = (problem) => { setError(problem); setJob(null); setLoading(false); };
  const load = () => {
    setError(null);
    setLoading(true);
    post("/sample-data", inWorkspace()).then((found) => setJob(found.job), failed);
  };
  return html`<${Problem} error=${error?.state ? null : error} />
    ${error?.state && html`<p class="status bad" role="alert">The sample data could not be loaded: ${error.error || "the job was cancelled"}</p>`}
    <div class="sample"><p><strong>Just looking?</strong> Load an hour of log records, traces and metrics of a small shop.
        Ten minutes ago, its payments began to fail: find out why.</p>
      ${job ? html`<${SampleProgress} key=${job.id} first=${job} onDone=${() => setLoading("stored")} onError=${failed} />`
        : html`<button type="button" class="primary" disabled=${Boolean(loading)} onClick=${load}>Load sample data</button>`}
    </div>`;
}

/** What an empty workspace shows: how to send records, and sample data. `onRecords` is called when there are some. */
export function FirstUse({ onRecords }) {
  const [loading, setLoading] = useState(false);
  // The newest part of the sample is stored last.
  const check = (signal) => (loading === true ? Promise.resolve(false) : hasRecords(signal, loading ? Date.now() - NEWEST_MS : 0));
  usePolling(check, onRecords, [loading, param("workspace_id")]);
  return html`<section class="card first-use" aria-label="First steps">
    <h2>No records yet. Send the first one.</h2>
    <p class="soft">Sheaf takes OpenTelemetry over gRPC and HTTP, and JSON log records. The workspace is${" "}<strong>${param("workspace_id") || "default"}</strong>.</p>
    <${Snippets} />
    <p class="waiting" role="status">${loading ? "Loading sample data…" : "Waiting for the first record…"}</p>
    <${Sample} loading=${loading} setLoading=${setLoading} />
  </section>`;
}
