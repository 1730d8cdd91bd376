import { useMemo } from "../vendor/hooks.js";
import { LineChart } from "../components/line_chart.js";
import { bytes, duration, number } from "../core/format.js";
import { html } from "../core/html.js";
import { accepted, dead, grown, ratesOf, stored, storedOfWorkspace } from "./counters.js";
import { Figure, Part } from "./part.js";
import { EVERY_MS, MOST_SAMPLES } from "./samples.js";

const count = (value) => (value === null ? "–" : number(value));
const age = (chunks, seconds) => (chunks ? duration(seconds * 1000) : "–");

/** What is between acknowledged and stored, in the whole system. */
const Queue = ({ queue }) => html`
  <${Figure} name="Waiting records" value=${number(queue.waiting_records)} title="Accepted, and not yet stored" />
  <${Figure} name="Chunks" value=${number(queue.waiting_chunks)} title="Chunks that wait" />
  <${Figure} name="Size" value=${bytes(queue.waiting_bytes)} title="Size of the chunks that wait" />
  <${Figure} name="Oldest" value=${age(queue.waiting_chunks, queue.oldest_seconds)} title="How long the oldest waits" />
  <${Figure} name="Dead chunks" value=${number(queue.dead_chunks)} bad=${queue.dead_chunks > 0} title="Chunks that could not be stored" />`;

function System({ samples }) {
  const last = samples.at(-1), since = (what) => grown(what, samples[0], last);
  return html`<dl class="figures">
    <${Figure} name="Accepted" value=${count(since(accepted))} title="Records acknowledged since this page was opened" />
    <${Figure} name="Stored" value=${count(since(stored))} title="Records stored since this page was opened" />
    ${last.system.queue && html`<${Queue} queue=${last.system.queue} />`}
    ${since(dead) > 0 && html`<${Figure} name="Became dead letters" value=${count(since(dead))} bad title="Records since this page was opened" />`}</dl>`;
}

function OfWorkspace({ workspace }) {
  const refused = (workspace.refused ?? []).reduce((total, { requests }) => total + requests, 0);
  return html`<dl class="figures small" aria-label="Workspace ${workspace.workspace_id}">
    <${Figure} name="Stored today in ${workspace.workspace_id}" value=${count(storedOfWorkspace({ workspace }))} title="Records of this workspace since midnight, UTC" />
    ${workspace.waiting_chunks !== null && html`<${Figure} name="Its chunks without a batch" value=${number(workspace.waiting_chunks)} title="Chunks of this workspace that are in no batch yet" />
      <${Figure} name="Oldest of them" value=${age(workspace.waiting_chunks, workspace.oldest_seconds)} />`}
    <${Figure} name="Refused requests" value=${number(refused)} bad=${refused > 0} title=${(workspace.refused ?? []).map(({ reason, requests }) => `${reason}: ${requests}`).join(", ")} /></dl>`;
}

const STATES = { ok: "Intake works.", degraded: "Intake is degraded.", unavailable: "Intake is unavailable." };

const State = ({ status, broker, database, system }) => html`<span class=${status === "ok" ? "good" : "bad"} role="status">${STATES[status]}${
  system?.problems.length > 0 ? ` ${system.problems.join("; ")}.`
    : status !== "ok" && ` Broker: ${broker}. Database: ${database}.`}</span>`;

const EXPLAINED = "Every accepted record is stored once, waits, or is in a dead letter.";

/** Accepted and stored records per second, and what is between them, as it happens. */
export function Intake({ samples, error }) {
  const last = samples.at(-1), isWhole = Boolean(last?.system);
  const chart = useMemo(() => ({
    times: samples.map(({ time_ms: at }) => at),
    series: isWhole ? [{ name: "Accepted", values: ratesOf(samples, accepted) }, { name: "Stored", values: ratesOf(samples, stored) }]
      : [{ name: "Stored", values: ratesOf(samples, storedOfWorkspace) }],
    between: last && [last.time_ms - EVERY_MS * MOST_SAMPLES, last.time_ms],
  }), [samples, isWhole]);
  return html`<${Part} title="Stored exactly once" id="intake" error=${error} beside=${last && html`<${State} ...${last} />`}>
    ${!last ? html`<p class="status">Loading …</p>` : html`${isWhole && html`<${System} samples=${samples} />`}
      <${LineChart} ...${chart} unit="{record}/s" height=${190} label="Records per second" />
      <${OfWorkspace} workspace=${last.workspace} />
      <p class="soft">${isWhole && EXPLAINED} ${isWhole ? "Accepted and stored count from when you opened this page." : "You may see this workspace only."}
        ${" "}Read every two seconds while this tab is shown.</p>`}
  </${Part}>`;
}
