import { useRef, useState } from "../vendor/hooks.js";
import { linkTo, open, param } from "../core/address.js";
import { counted, moment, relative } from "../core/format.js";
import { html } from "../core/html.js";
import { useLoaded } from "../core/load.js";
import { saved } from "../core/saved.js";
import { visible } from "../core/text.js";
import { ApiCall } from "../components/api_call.js";
import { Problem } from "../components/problem.js";
import { Workspace } from "../components/workspace.js";
import { download, upload } from "./files.js";

const dashboards = saved("dashboards");

const openDashboard = ({ id, start, end }, more = {}) => open(linkTo(`/dashboards/${id}`, { from: start, to: end === "now" ? "" : end, ...more }));

function Row({ dashboard, changed, failed }) {
  const [asked, setAsked] = useState(false), name = visible(dashboard.name), address = `/dashboards/${dashboard.id}`;
  const save = () => dashboards.one(dashboard.id).then(download).catch(failed);
  const remove = () => dashboards.remove(dashboard).then(changed, failed);
  return html`<tr>
    <td><a href=${linkTo(address, { from: dashboard.start, to: dashboard.end === "now" ? "" : dashboard.end })}>${name}</a>
      ${dashboard.description && html`<p class="soft">${visible(dashboard.description)}</p>`}</td>
    <td>${counted(dashboard.panel_count, "panel")}</td>
    <td title=${moment(dashboard.changed_ms)}>${relative(dashboard.changed_ms)}${dashboard.changed_by && ` by ${visible(dashboard.changed_by)}`}</td>
    <td class="tools">
      ${asked ? html`<span>Delete it?</span>
        <button type="button" class="small" aria-label="Yes, delete ${name}" onClick=${remove}>Delete</button>
        <button type="button" class="small" onClick=${() => setAsked(false)}>Keep</button>` : html`
        <button type="button" class="small" aria-label="Export ${name} as JSON" onClick=${save}>Export</button>
        <button type="button" class="small" aria-label="Delete ${name}" onClick=${() => setAsked(true)}>Delete</button>`}
    </td></tr>`;
}

/** The dashboards of the workspace. */
export function View() {
  const [again, setAgain] = useState(0), [problem, setProblem] = useState(null), [name, setName] = useState(""), file = useRef(null);
  const { content, error } = useLoaded((signal) => dashboards.list(signal), [param("workspace_id"), again]);
  const changed = () => { setProblem(null); setAgain((before) => before + 1); };
  const create = (event) => {
    event.preventDefault();
    dashboards.create({ name: name.trim() }).then((made) => openDashboard(made, { edit: "1" }), setProblem);
  };
  const take = (event) => {
    const [chosen] = event.target.files;
    event.target.value = "";
    if (chosen) upload(chosen).then(changed, setProblem);
  };
  return html`<main class="view dashboards"><h1 class="hidden">Dashboards</h1>
    <div class="toolbar">
      <form class="tools" onSubmit=${create}>
        <input aria-label="Name of the new dashboard" placeholder="Name" maxlength="200" value=${name} onInput=${(event) => setName(event.target.value)} />
        <button type="submit" class="primary" disabled=${!name.trim()}>New dashboard</button></form>
      <button type="button" onClick=${() => file.current.click()}>Import JSON</button>
      <input ref=${file} type="file" accept="application/json,.json" hidden aria-label="JSON file of a dashboard" onChange=${take} />
      <span class="end tools"><${Workspace} />
      <${ApiCall} calls=${() => [["Dashboards", "/dashboards", { workspace_id: param("workspace_id") }]]} /></span>
    </div>
    ${problem instanceof SyntaxError ? html`<p class="status bad" role="alert">${problem.message}</p>` : html`<${Problem} error=${problem ?? error} />`}
    ${content?.length === 0 && html`<p class="card empty">No dashboards yet. Make one here, or pin what another view shows.</p>`}
    ${content?.length > 0 && html`<div class="scrolled"><table class="grid"><thead><tr><th scope="col">Name</th><th scope="col">Panels</th>
      <th scope="col">Changed</th><th scope="col"><span class="hidden">Actions</span></th></tr></thead>
      <tbody>${content.map((dashboard) => html`<${Row} key=${dashboard.id} dashboard=${dashboard} changed=${changed} failed=${setProblem} />`)}</tbody></table></div>`}
  </main>`;
}
