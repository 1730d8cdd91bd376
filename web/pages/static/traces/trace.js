import { useMemo, useState } from "../vendor/hooks.js";
import { file, get } from "../core/api.js";
import { inWorkspace, linkTo, param, set } from "../core/address.js";
import { moment } from "../core/format.js";
import { html } from "../core/html.js";
import { useLoaded } from "../core/load.js";
import { asked } from "../core/range.js";
import { visible } from "../core/text.js";
import { ApiCall } from "../components/api_call.js";
import { Popover } from "../components/popover.js";
import { Problem } from "../components/problem.js";
import { Workspace } from "../components/workspace.js";
import { Difference } from "./difference.js";
import { logsOf } from "./extras.js";
import { Waterfall } from "./waterfall.js";

const MOST_SPANS = 100_000, MOST_LOGS = 10_000;

const question = () => ({ workspace_id: param("workspace_id"), max_spans: MOST_SPANS, max_logs: MOST_LOGS });
const pathOf = (id) => `/traces/${encodeURIComponent(id)}`;

function cuts(answer) {
  return [
    answer.spans_truncated && `Only the first ${MOST_SPANS.toLocaleString()} spans are shown.`,
    answer.logs_truncated && `Only the first ${MOST_LOGS.toLocaleString()} log records are shown.`,
  ].filter(Boolean);
}

function Missing({ error, id }) {
  if (error.status !== 404) return html`<${Problem} error=${error} />`;
  return html`<div class="empty" role="alert">
    <p>${error.message}</p>
    <p>It may not have arrived yet, may not have been sampled, or may be past its retention. Another workspace may have it.</p>
    <p><button type="button" onClick=${() => { asked.value += 1; }}>Try again</button>${" "}
      <a class="button" href=${linkTo("/", { q: `trace_id:${id}` })}>Search log records for it</a></p>
  </div>`;
}

async function download(id) {
  const saved = await file("/traces/gantt", { ...inWorkspace(), trace_ids: [id] });
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(saved), download: `trace-${id}.html` });
  link.click();
  URL.revokeObjectURL(link.href);
}

function Download({ id, onError }) {
  const [busy, setBusy] = useState(false);
  const save = () => {
    setBusy(true);
    onError(null);
    download(id).catch(onError).finally(() => setBusy(false));
  };
  return html`<button type="button" disabled=${busy} onClick=${save}>Download as HTML</button>`;
}

function Compare() {
  const [id, setId] = useState("");
  if (param("with")) return html`<button type="button" onClick=${() => set({ with: "", span: "" })}>Stop comparing</button>`;
  const compare = (event) => {
    event.preventDefault();
    if (id.trim()) set({ with: id.trim().toLowerCase(), span: "" });
  };
  return html`<${Popover} label="Compare…">
    ${() => html`<form class="compare" onSubmit=${compare}>
      <label>With the trace of this id<input value=${id} size="34" spellcheck=${false} autocomplete="off" maxlength="32"
        onInput=${(event) => setId(event.target.value)} /></label>
      <button type="submit" class="primary">Compare</button></form>`}
  </${Popover}>`;
}

const titleOf = (answer) => visible(`${answer.root_service}: ${answer.root_name}`);

function About({ answers: [first, second] }) {
  if (second) {
    return html`<h1><span class="side">A</span> ${titleOf(first)} <span class="side">B</span> ${titleOf(second)}</h1>
      <p id="summary"></p>`;
  }
  return html`<h1>${titleOf(first)}${first.root_missing && html` <span class="soft">(root missing)</span>`}</h1>
    <p><time datetime=${first.start}>${moment(first.start_ms)}</time> · <code>${first.trace_id}</code></p>
    <p id="summary"></p>`;
}

function Found({ answers, onError }) {
  const [first, second] = answers;
  const labelled = useMemo(() => (second ? [[first, "A"], [second, "B"]] : [[first, ""]]), [answers]);
  return html`
    <div class="toolbar">
      <div class="about"><${About} answers=${answers} /></div>
      ${!second && html`<a class="button" href=${logsOf(first)}>Logs of this trace</a>`}
      <${Compare} key=${second} />
      ${!second && html`<${Download} id=${first.trace_id} onError=${onError} />`}
      <${Workspace} />
      <${ApiCall} calls=${() => answers.map((answer) => ["Trace", pathOf(answer.trace_id), question()])} />
    </div>
    ${answers.flatMap(cuts).map((note) => html`<p class="status" role="note" key=${note}>${note}</p>`)}
    ${second && html`<${Difference} first=${first} second=${second} />`}
    <${Waterfall} labelled=${labelled} />`;
}

/** A part of the address as it is meant; as it is written if that is not known. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** One trace, or two to compare: `/traces/<id>?with=<other id>`. */
export function View({ named: [name] }) {
  const id = decoded(name), other = param("with");
  const [failed, setFailed] = useState(null);
  const read = (signal) => Promise.all([id, other].filter(Boolean).map((each) => get(pathOf(each), question(), signal)));
  const { content, error, loading } = useLoaded(read, [id, other, param("workspace_id"), asked.value]);
  return html`<main class="view trace">
    <nav aria-label="Back"><a href=${linkTo("/traces")}>‹ Traces</a></nav>
    <${Problem} error=${failed} />
    ${!content && html`<h1 class="hidden">Trace</h1>
      ${error && html`<div class="toolbar"><${Workspace} same /></div>`}`}
    ${error ? html`<${Missing} error=${error} id=${id} />` : content ? html`<${Found} answers=${content} onError=${setFailed} />`
      : loading && html`<p class="status" role="status">Loading…</p>`}
  </main>`;
}
