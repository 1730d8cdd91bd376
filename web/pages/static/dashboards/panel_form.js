import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { param } from "../core/address.js";
import { get } from "../core/api.js";
import { html } from "../core/html.js";
import { rangeNow } from "../core/range.js";
import { WrittenInput } from "../components/written_input.js";
import { joined, names } from "../metrics/question.js";
import { KINDS, ofMetric } from "./kinds.js";
import { sizeOf } from "./layout.js";

const FIELDS = ["service", "severity", "service_version", "endpoint", "attributes[http.route]", "attributes[http.response.status_code]",
  "attributes[error.type]", "resource.k8s.pod.name"];
const AGGREGATIONS = ["rate", "increase", "sum", "avg", "min", "max", "count", "last", "quantile"];
const USUAL = { gauge: "avg", sum: "rate", histogram: "quantile", exponential_histogram: "quantile", summary: "avg" };
const QUANTILES = [0.5, 0.9, 0.95, 0.99];

/** Names of the workspace's metrics, with their kinds. */
function useMetrics(wanted) {
  const [metrics, setMetrics] = useState([]);
  useEffect(() => {
    const controller = new AbortController();
    // A name can be written without suggestions, so their failure is not shown.
    if (wanted) get("/metrics", { workspace_id: param("workspace_id"), ...rangeNow() }, controller.signal).then((found) => setMetrics(found.metrics), () => {});
    return () => controller.abort();
  }, [wanted]);
  return metrics;
}

function MetricFields({ query, change }) {
  const metrics = useMetrics(true), known = metrics.find(({ name }) => name === query.metric);
  const choose = (metric) => {
    const found = metrics.find(({ name }) => name === metric), usual = found && (found.monotonic === false ? "sum" : USUAL[found.kind]);
    change({ metric, ...(usual ? { aggregation: usual, quantile: usual === "quantile" ? 0.95 : undefined } : {}) });
  };
  const aggregate = (aggregation) => change({ aggregation, quantile: aggregation === "quantile" ? 0.95 : undefined });
  const keys = known ? ["service", ...Object.keys(known.attributes)] : ["service"];
  return html`<label>Metric<input required list="panel-metrics" autocomplete="off" spellcheck=${false} value=${query.metric ?? ""} onInput=${(event) => choose(event.target.value)} /></label>
    <datalist id="panel-metrics">${metrics.map(({ name, kind }) => html`<option key=${name + kind} value=${name}>${kind}</option>`)}</datalist>
    <div class="pair"><label>Aggregation<select value=${query.aggregation} onChange=${(event) => aggregate(event.target.value)}>
      ${AGGREGATIONS.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select></label>
    ${query.aggregation === "quantile" && html`<label>Quantile<select value=${query.quantile} onChange=${(event) => change({ quantile: Number(event.target.value) })}>
      ${[...new Set([...QUANTILES, query.quantile])].map((each) => html`<option key=${each} value=${each}>${each}</option>`)}</select></label>`}</div>
    <label>Group by (with commas)<${WrittenInput} list="panel-keys" value=${joined([query.by ?? []].flat())}
      onWritten=${(text) => change({ by: names(text) })} /></label>
    <datalist id="panel-keys">${keys.map((key) => html`<option key=${key} value=${key}></option>`)}</datalist>`;
}

const SearchField = ({ query, change }) => html`<label>Search<input maxlength="4096" spellcheck=${false} autocomplete="off" placeholder="service:payment level:>=error"
  value=${query.q ?? ""} onInput=${(event) => change({ q: event.target.value || undefined })} /></label>`;

const TopFields = ({ query, change }) => html`<label>Field<input required list="panel-fields" spellcheck=${false} autocomplete="off" value=${[query.fields ?? []].flat()[0] ?? ""}
    onInput=${(event) => change({ fields: [event.target.value.trim()] })} /></label>
  <datalist id="panel-fields">${FIELDS.map((name) => html`<option key=${name} value=${name}></option>`)}</datalist>`;

const startOf = (kind) => (ofMetric(kind) ? { metric: "", aggregation: "rate" } : kind === "top_values" ? { fields: ["service"] } : {});

/** A query without what has no value. */
const stripped = (query) => Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined && value !== "" && value?.length !== 0));

/** A dialog that makes a panel, or changes the one given. `onDone` gets the panel, or null. */
export function PanelForm({ panel, onDone }) {
  const dialog = useRef(null), [draft, setDraft] = useState(panel ?? { title: "", kind: "histogram", query: {} });
  useEffect(() => dialog.current.showModal(), []);
  const change = (changes) => setDraft({ ...draft, query: stripped({ ...draft.query, ...changes }) });
  const choose = (kind) => setDraft({ ...draft, kind, signal: undefined, query: { ...startOf(kind), ...(ofMetric(kind) || !draft.query.q ? {} : { q: draft.query.q }) } });
  const submit = (event) => {
    event.preventDefault();
    const { signal, ...rest } = draft;
    onDone({ ...sizeOf(draft.kind), ...rest, ...(signal ? { signal } : {}), title: draft.title.trim() });
  };
  return html`<dialog ref=${dialog} class="card dialog" aria-labelledby="panel-form" onClose=${() => onDone(null)}>
    <form onSubmit=${submit}><h2 id="panel-form">${panel ? "Edit panel" : "Add panel"}</h2>
      <label>Shows<select value=${draft.kind} onChange=${(event) => choose(event.target.value)}>
        ${Object.entries(KINDS).map(([kind, { name, about }]) => html`<option key=${kind} value=${kind}>${name}: ${about.toLowerCase()}</option>`)}</select></label>
      ${ofMetric(draft.kind) ? html`<${MetricFields} query=${draft.query} change=${change} />` : html`
        ${draft.kind === "top_values" && html`<${TopFields} query=${draft.query} change=${change} />`}
        <${SearchField} query=${draft.query} change=${change} />`}
      <label>Title<input maxlength="200" placeholder="Default: what it shows" value=${draft.title} onInput=${(event) => setDraft({ ...draft, title: event.target.value })} /></label>
      <div class="tools"><button type="submit" class="primary">${panel ? "Apply" : "Add"}</button>
        <button type="button" onClick=${() => dialog.current.close()}>Cancel</button></div>
    </form></dialog>`;
}
