import { inWorkspace, param } from "../core/address.js";
import { get, put } from "../core/api.js";
import { html } from "../core/html.js";
import { useLoaded } from "../core/load.js";
import { useState } from "../vendor/hooks.js";
import { useAct } from "./act.js";
import { Part } from "./part.js";

const SIGNALS = { logs: "Log records", traces: "Spans", metrics: "Metrics" };
const MOST_DAYS = 36_500;

const daysOf = (days) => (days === 0 ? "for ever" : `${days} ${days === 1 ? "day" : "days"}`);

function Form({ content, onDone }) {
  const [own, setOwn] = useState(Object.fromEntries(Object.keys(SIGNALS).map((name) => [name, String(content.own[name] ?? "")])));
  const [act, said] = useAct(onDone);
  const save = (event) => {
    event.preventDefault();
    const days = Object.fromEntries(Object.entries(own).map(([name, text]) => [name, text === "" ? null : Number(text)]));
    act(put("/retention", { ...days, ...inWorkspace() }), () => "Saved. It holds for records that arrive from now on.");
  };
  return html`<form onSubmit=${save}><table class="plain"><thead><tr><th>Signal</th><th>Kept</th><th>Days of this workspace</th></tr></thead>
    <tbody>${Object.entries(SIGNALS).map(([name, label]) => html`<tr key=${name}><td>${label}</td><td>${daysOf(content.retention[name])}</td>
      <td><input type="number" min="0" max=${MOST_DAYS} step="1" placeholder="as set for all" aria-label="Days to keep: ${label}" value=${own[name]}
        onInput=${(event) => setOwn({ ...own, [name]: event.target.value })} /></td></tr>`)}</tbody></table>
    <p class="soft">0 keeps them for ever; empty means as set for all workspaces. A shorter time deletes older records on the next daily run.</p>
    <button type="submit">Save</button>${said}</form>`;
}

/** How long records of the workspace are kept. */
export function Retention() {
  const [count, setCount] = useState(0), workspace = param("workspace_id");
  const { content, error } = useLoaded((signal) => get("/retention", { workspace_id: workspace }, signal), [workspace, count]);
  return html`<${Part} title="Retention" id="retention" error=${error}>
    ${content && html`<${Form} key=${workspace} content=${content} onDone=${() => setCount(count + 1)} />`}</${Part}>`;
}
