import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { pairs, param, set } from "../core/address.js";
import { get } from "../core/api.js";
import { grouped, pairsOf } from "../core/pairs.js";
import { html } from "../core/html.js";
import { useLoaded } from "../core/load.js";
import { ago, columns, sidebar, wrap } from "../core/preferences.js";
import { isRelative, range } from "../core/range.js";
import { ApiCall } from "../components/api_call.js";
import { Export } from "../components/export.js";
import { FirstUse, hasRecords } from "../components/first_use.js";
import { Pin } from "../components/pin.js";
import { SavedSearches } from "../components/saved_searches.js";
import { Problem } from "../components/problem.js";
import { QueryInput } from "../components/query_input.js";
import { TimeRange } from "../components/time_range.js";
import { Workspace } from "../components/workspace.js";
import { LogChanges } from "./changes.js";
import { compareLastMinutes, compareWithBefore, comparedIn } from "./compare.js";
import { FilterChips } from "./filter_chips.js";
import { ask, others, query, saveable, searched } from "./filters.js";
import { Histogram } from "./histogram.js";
import { Linked } from "./linked.js";
import { List } from "./list.js";
import { LiveBar } from "./live_bar.js";
import { PatternList } from "./patterns.js";
import { Sidebar } from "./sidebar.js";
import { useShortcuts } from "./shortcuts.js";
import { useActive, useFirstOpened, useHistogram, useLive, useOpened, useRecords, useSearch, useSides } from "./state.js";

const EMPTY = "No log records match. Try a longer time range or fewer filters.";

const mistakeOf = (error) => error?.places?.find(({ field }) => field === "q") ?? null;

/** Records that arrive belong to a range only if it ends now. */
function setLive(on) {
  set(on && !(isRelative.value && range.value.to === "now") ? { live: "1", from: "now-15m", to: "" } : { live: on ? "1" : "" });
}

const calls = (parameters) => () => [
  ["Records", "/logs", [...parameters, ["limit", 100]]],
  ["Over time", "/logs/histogram", [...parameters, ["buckets", 60]]],
  ["Fields", "/logs/facets", parameters],
  ["Patterns", "/logs/patterns", parameters],
  ["Export", "/logs/export", parameters],
];

const savedState = () => ({ q: query.value, from: range.value.from, to: range.value.to, columns: columns.value,
  filters: saveable() });

function openSaved({ q, from, to, columns: shown, filters: more }) {
  if (shown?.length) columns.value = shown;
  const dropped = Object.fromEntries(others.value.map(([name]) => [name, ""]));
  set({ ...dropped, ...grouped(pairsOf(more ?? {})), q, from, to: to === "now" ? "" : to, record: "" });
}

const panel = () => ({ kind: "histogram", query: { ...searched(), by: param("by") } });

/** A workspace without any record shows how to send the first one. */
function Empty({ parameters, onRecords }) {
  const { content: some } = useLoaded(hasRecords, [param("workspace_id"), JSON.stringify(parameters)]);
  const { content: checked } = useLoaded(async (signal) => (query.value ? get("/logs/query", parameters, signal) : null), [JSON.stringify(parameters)]);
  if (some === null) return null;
  return some ? html`<div class="card empty"><p>${EMPTY}</p>${checked?.hints.map(({ text }) => html`<p key=${text} class="hint">${text.replaceAll("`", "")}</p>`)}</div>` : html`<${FirstUse} onRecords=${onRecords} />`;
}

/** A selected part within the shown range, which may begin within the first bar. */
const within = (part, found) => part && { from: Math.max(part.from, found.start_time_ms), to: Math.min(part.to, found.end_time_ms) };

const Tab = ({ name, label }) => html`<button type="button" class="small" aria-pressed=${(param("view") || "records") === name}
  onClick=${() => set({ view: name === "records" ? "" : name })}>${label}</button>`;

const Switch = ({ of, label, title }) => html`<button type="button" class="small" title=${title} aria-pressed=${of.value}
  onClick=${() => { of.value = !of.value; }}>${label}</button>`;

/** The log records of a workspace: search, fields, patterns, live tail. */
export function View() {
  const { key, parameters, repeat } = useSearch();
  const records = useRecords(key, parameters), live = useLive(records, key, repeat);
  const { content: found, error: histogramError, loading: counting } = useHistogram(key, live);
  // The histogram comes first: all queries at the same time would delay it.
  const ready = Boolean(live) || !counting;
  const { content: deployed } = useLoaded((signal) => get("/logs/deployments", parameters, signal), [key], ready);
  const [opened, setOpened] = useOpened(), [selected, setSelected] = useState(null), [active, goTo] = useActive();
  const sides = useSides(key, parameters, live), list = records.list.value, compared = comparedIn(pairs.value), box = useRef(null);

  useEffect(() => { setSelected(null); goTo(() => -1); }, [key]);
  useFirstOpened(records, goTo);
  const toggle = (id) => {
    const next = new Set(opened);
    if (!next.delete(id)) {
      next.add(id);
      live?.pause();
    }
    setOpened(next);
  };
  useShortcuts({
    focusQuery: () => document.getElementById("query").focus(),
    move: (step) => goTo((before) => Math.max(0, Math.min(list.length - 1, before + step))),
    open: () => { if (list[active.current]) toggle(list[active.current].id); },
    close: () => (opened.size ? setOpened(new Set()) : setSelected(null)),
  });
  const scrolled = (top) => { if (live && top > 0) live.pause(); };
  const resume = () => {
    box.current.querySelector("#rows")?.scrollTo({ top: 0 });
    setOpened(new Set());
    live.resume();
  };
  const error = records.error.value, view = param("view") || "records";
  const run = (text) => (text === query.value ? repeat() : ask(text));
  return html`<main class="view logs" ref=${box}><h1 class="hidden">Logs</h1>
    <div class="toolbar">
      <${QueryInput} query=${query.value} onQuery=${run} completions="/logs/completions" mistake=${mistakeOf(error)}
        placeholder='words "a phrase" field:value -not level:>=warn' />
      <${TimeRange} /><${Workspace} />
      <${SavedSearches} signal="logs" state=${savedState} open=${openSaved} /><${Export} filters=${() => parameters} />
      <button type="button" aria-pressed=${Boolean(live)} onClick=${() => setLive(!param("live"))}>Live</button>
      <${ApiCall} calls=${calls(parameters)} />
    </div>
    <${FilterChips} />
    ${live && !error && html`<${LiveBar} live=${live} resume=${resume} />`}
    ${found && html`<${Histogram} found=${found} loading=${counting && !live} deployments=${deployed?.deployments ?? []} selected=${selected} onSelect=${(part) => setSelected(within(part, found))}
      onCompare=${(part) => compareWithBefore(part, found)}>
      <button type="button" class="small" onClick=${() => compareLastMinutes(found)}>Last 10 min. against the hour before</button><${Pin} panel=${panel} /></${Histogram}>`}
    <${Problem} error=${error ?? histogramError} />
    ${compared && html`<${LogChanges} compared=${compared} />`}
    <${Linked} list=${list} />
    <div class="tools views"><${Switch} of=${sidebar} label="Fields" title="Show the fields" />
      <${Tab} name="records" label="Records" /><${Tab} name="patterns" label="Patterns" />
      <span class="end tools"><${Switch} of=${wrap} label="Wrap" title="Wrap long lines" /><${Switch} of=${ago} label="Relative times" title="Show how long ago" /></span></div>
    <div class="columns ${sidebar.value ? "" : "without-fields"}">
      ${sidebar.value && html`<${Sidebar} ...${sides} ready=${ready} />`}
      ${view === "patterns" ? html`<${PatternList} parameters=${parameters} version=${key} found=${found} />`
        : html`<div class="content">
          ${!list.length && !records.loading.value && !error && html`<${Empty} parameters=${parameters} onRecords=${repeat} />`}
          ${!list.length && records.loading.value && html`<p class="status" role="status">Loading…</p>`}
          ${list.length > 0 && html`<${List} records=${records} opened=${opened} toggle=${toggle} active=${active.current} onScroll=${scrolled} />`}
        </div>`}
    </div>
  </main>`;
}
