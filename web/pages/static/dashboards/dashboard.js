import { useEffect, useMemo, useState } from "../vendor/hooks.js";
import { beforeLeaving, linkTo, open, param, set } from "../core/address.js";
import { html } from "../core/html.js";
import { useLoaded } from "../core/load.js";
import { asked, range, rangeNow } from "../core/range.js";
import { saved } from "../core/saved.js";
import { visible } from "../core/text.js";
import { ApiCall } from "../components/api_call.js";
import { Problem } from "../components/problem.js";
import { TimeRange } from "../components/time_range.js";
import { Workspace } from "../components/workspace.js";
import { contentOf, download } from "./files.js";
import { keysOf, moved } from "./layout.js";
import { Panel } from "./panel.js";
import { PanelForm } from "./panel_form.js";

const REFRESH = [["", "Refresh: off"], ["10s", "Every 10 s"], ["1m", "Every minute"]];
const MILLISECONDS = { "10s": 10_000, "1m": 60_000 };
const CONFLICT = 409;

const dashboards = saved("dashboards");

/** The time range of this moment, the same for all panels, and a number that changes with it. */
function useRange() {
  const [tick, setTick] = useState(0), every = MILLISECONDS[param("refresh")];
  useEffect(() => {
    if (!every) return undefined;
    const timer = setInterval(() => { if (!document.hidden) setTick((before) => before + 1); }, every);
    return () => clearInterval(timer);
  }, [every]);
  const version = JSON.stringify([tick, asked.value, range.value, param("workspace_id")]);
  return { version, when: useMemo(() => rangeNow(), [version]), again: () => setTick((before) => before + 1) };
}

const LEAVE = "Leave this dashboard? Its changes are not saved and will be lost.";

/** Ask before changes that are not saved are left, in this page or for another. */
function useWarning(changed) {
  useEffect(() => {
    if (!changed) return undefined;
    const warn = (event) => event.preventDefault(), stop = beforeLeaving(() => confirm(LEAVE));
    addEventListener("beforeunload", warn);
    return () => {
      removeEventListener("beforeunload", warn);
      stop();
    };
  }, [changed]);
}

function Conflict({ error, reload, overwrite, copy }) {
  return html`<div class="card conflict" role="alert"><p>${error.message}</p><div class="tools">
    <button type="button" onClick=${reload}>Show theirs, drop my changes</button>
    <button type="button" onClick=${overwrite}>Replace theirs with mine</button>
    <button type="button" class="primary" onClick=${copy}>Save mine as a copy</button></div></div>`;
}

/** A saved dashboard and what of it was changed here. */
function useDraft(id) {
  const [again, setAgain] = useState(0), [draft, setDraft] = useState(null), [kept, setKept] = useState(null), [problem, setProblem] = useState(null);
  const { content, error } = useLoaded((signal) => dashboards.one(id, signal), [id, param("workspace_id"), again]);
  const show = (found) => { setKept(found); setDraft(found); setProblem(null); };
  useEffect(() => show(content), [content]);
  const save = (version = draft.version) => dashboards.change({ ...contentOf(draft), id, version }).then(show, setProblem);
  const overwrite = () => dashboards.one(id).then(({ version }) => save(version)).catch(setProblem);
  const copy = () => dashboards.create({ ...contentOf(draft), name: `${draft.name} (copy)`.slice(-200) })
    .then((made) => open(linkTo(`/dashboards/${made.id}`)), setProblem);
  return { draft, setDraft, error: error ?? problem, changed: draft !== kept, save, overwrite, copy, reload: () => setAgain((before) => before + 1) };
}

const Name = ({ draft, setDraft }) => html`<input class="dashboard-name" aria-label="Name of the dashboard" maxlength="200" required value=${draft.name}
  onInput=${(event) => setDraft({ ...draft, name: event.target.value })} />`;

function Panels({ panels, setPanels, editing, form, setForm, ...shown }) {
  const acts = (place) => ({
    change: (next) => setPanels(panels.map((each, at) => (at === place ? next : each))),
    move: (by) => setPanels(moved(panels, place, place + by)),
    edit: () => setForm({ place }),
    remove: () => setPanels(panels.filter((_, at) => at !== place)),
  });
  const done = (panel) => {
    setForm(null);
    if (panel) setPanels(form.place === undefined ? [...panels, panel] : panels.map((each, at) => (at === form.place ? panel : each)));
  };
  const keys = keysOf(panels);
  return html`${form && html`<${PanelForm} panel=${panels[form.place]} onDone=${done} />`}
    <div class="dashboard">${panels.map((panel, place) => html`<${Panel} key=${keys[place]} panel=${panel} editing=${editing} ...${shown} ...${acts(place)} />`)}</div>`;
}

/** A dashboard: panels that share the time range. */
export function View({ named: [id] }) {
  const { draft, setDraft, error, changed, save, overwrite, copy, reload } = useDraft(id), { version, when, again } = useRange();
  const [form, setForm] = useState(null), editing = param("edit") === "1";
  useWarning(changed);
  useEffect(() => { if (draft) document.title = `Sheaf · ${draft.name}`; }, [draft?.name]);
  const setPanels = (panels) => setDraft({ ...draft, panels });
  const keepRange = () => setDraft({ ...draft, start: range.value.from, end: range.value.to });
  return html`<main class="view dashboards"><h1 class="hidden">${draft ? visible(draft.name) : "Dashboard"}</h1>
    <div class="toolbar">
      <a class="button" href=${linkTo("/dashboards")}>All dashboards</a>
      ${draft && (editing ? html`<${Name} draft=${draft} setDraft=${setDraft} />` : html`<strong class="dashboard-name">${visible(draft.name)}</strong>`)}
      ${draft && html`<button type="button" aria-pressed=${editing} onClick=${() => set({ edit: editing ? "" : "1" }, { replace: true })}>Edit</button>`}
      ${draft && editing && html`<button type="button" onClick=${() => setForm({})}>Add panel</button>
        <button type="button" title="Open this dashboard with the time range that is shown now" onClick=${keepRange}>Keep this time range</button>`}
      ${changed && html`<button type="button" class="primary" onClick=${() => save()}>Save</button>
        <button type="button" onClick=${reload}>Discard</button>`}
      <span class="end tools">
        <select aria-label="Refresh" value=${param("refresh")} onChange=${(event) => set({ refresh: event.target.value }, { replace: true })}>
          ${REFRESH.map(([value, name]) => html`<option key=${value} value=${value}>${name}</option>`)}</select>
        <button type="button" title="Load again" aria-label="Load again" onClick=${again}>↻</button>
        <${TimeRange} /><${Workspace} />
        ${draft && html`<button type="button" onClick=${() => download(draft)}>Export</button>`}
        <${ApiCall} calls=${() => [["Dashboard", `/dashboards/${id}`, { workspace_id: param("workspace_id") }]]} /></span>
    </div>
    ${error?.status === CONFLICT ? html`<${Conflict} error=${error} reload=${reload} overwrite=${overwrite} copy=${copy} />` : html`<${Problem} error=${error} />`}
    ${draft && !draft.panels.length && html`<p class="card empty">No panels yet. ${editing ? "Add one." : "Edit this dashboard to add one, or pin what another view shows."}</p>`}
    ${draft && html`<${Panels} panels=${draft.panels} setPanels=${setPanels} editing=${editing} form=${form} setForm=${setForm} when=${when} version=${version} />`}
  </main>`;
}
