import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { get } from "../core/api.js";
import { linkTo, open, param, set } from "../core/address.js";
import { counted } from "../core/format.js";
import { html } from "../core/html.js";
import { asked, range, rangeNow } from "../core/range.js";
import { ApiCall } from "../components/api_call.js";
import { Pin } from "../components/pin.js";
import { Problem } from "../components/problem.js";
import { QueryInput } from "../components/query_input.js";
import { SavedSearches } from "../components/saved_searches.js";
import { TimeRange } from "../components/time_range.js";
import { Workspace } from "../components/workspace.js";
import { AskWhy, SpanChanges } from "./changes.js";
import { Filters, FILTERS } from "./filters.js";
import { listenToListKeys } from "./list_keys.js";
import { Table } from "./table.js";

const PAGE = 50, EXAMPLE = `status:error duration_ms:>250 http.route:"/orders"`;

const question = () => ({
  q: param("q"), workspace_id: param("workspace_id"),
  ...Object.fromEntries(FILTERS.map((name) => [name, param(name)])), ...rangeNow(), limit: PAGE,
});

const pinned = () => ({ kind: "logs", signal: "traces", query: Object.fromEntries(["q", ...FILTERS].map((name) => [name, param(name)])) });

/** The filters that hold for both sides of a comparison: these are of spans, and those of the list of traces. */
const spanFilters = () => Object.fromEntries([["q", param("q")], ["workspace_id", param("workspace_id")], ["service_name", param("service_name")]]
  .filter(([, value]) => value));

const NOTHING = { traces: [], cursor: "", loading: true, error: null };

/** Pages of traces: the first when `inputs` change, and the next when `more()` is called. */
function usePages(inputs) {
  const [state, setState] = useState(NOTHING), running = useRef(null), asking = useRef(null);
  const load = async (query, before) => {
    const controller = running.current = new AbortController();
    try {
      const page = await get("/traces", query, controller.signal);
      setState({ traces: [...before, ...page.traces], cursor: page.next_cursor ?? "", loading: false, error: null });
    } catch (error) {
      if (!controller.signal.aborted) setState({ ...NOTHING, loading: false, error });
    }
  };
  useEffect(() => {
    asking.current = question();
    setState((before) => ({ ...before, loading: true, error: null }));
    load(asking.current, []);
    return () => running.current.abort();
  }, inputs);
  const more = () => {
    if (state.loading || !state.cursor) return;
    setState({ ...state, loading: true });
    load({ ...asking.current, cursor: state.cursor }, state.traces);
  };
  return { ...state, more };
}

/** The button of the next page, which is also loaded when the button comes into view. */
function More({ loading, more }) {
  const button = useRef(null), latest = useRef(more);
  latest.current = more;
  useEffect(() => {
    const seen = new IntersectionObserver(([entry]) => { if (entry.isIntersecting) latest.current(); }, { rootMargin: "400px" });
    seen.observe(button.current);
    return () => seen.disconnect();
  }, [loading]);
  return html`<p class="more"><button type="button" ref=${button} onClick=${more}>${loading ? "Loading…" : "More traces"}</button></p>`;
}

const compare = ([first, second]) => open(linkTo(`/traces/${first}`, { with: second }));

function Chosen({ chosen, clear }) {
  if (!chosen.length) return null;
  return html`<p class="chosen" role="status">
    ${chosen.length < 2 ? "Choose another trace to compare with." : `${counted(chosen.length, "trace")} chosen.`}
    <button type="button" class="primary small" disabled=${chosen.length !== 2} onClick=${() => compare(chosen)}>Compare</button>
    <button type="button" class="small" onClick=${clear}>Clear</button></p>`;
}

function Result({ traces, cursor, loading, error, more }) {
  const [chosen, setChosen] = useState([]);
  useEffect(() => setChosen((before) => before.filter((id) => traces.some(({ trace_id: each }) => each === id))), [traces]);
  const choose = (id, on) => setChosen(on ? [...chosen, id].slice(-2) : chosen.filter((each) => each !== id));
  if (error) return error.fields?.q ? null : html`<${Problem} error=${error} />`;
  if (!traces.length) {
    return html`<p class="empty" role="status">${loading ? "Loading…" : "No traces match. Try a longer time range or fewer filters."}</p>`;
  }
  return html`
    <${Chosen} chosen=${chosen} clear=${() => setChosen([])} />
    <${Table} traces=${traces} chosen=${chosen} choose=${choose} loading=${loading} />
    ${cursor && html`<${More} loading=${loading} more=${more} />`}`;
}

const savedState = () => ({ q: param("q"), from: range.value.from, to: range.value.to,
  filters: Object.fromEntries(FILTERS.map((name) => [name, param(name)]).filter(([, value]) => value)) });

function openSaved({ q, from, to, filters }) {
  const none = Object.fromEntries(FILTERS.map((name) => [name, ""]));
  set({ ...none, ...filters, q, from, to: to === "now" ? "" : to, compare: "" });
}

const mistakeIn = (error) => error?.places?.find(({ field }) => field === "q") ?? null;

/** The list of traces. */
export function View() {
  const inputs = [param("q"), param("workspace_id"), ...FILTERS.map(param), range.value.from, range.value.to, asked.value];
  const pages = usePages(inputs);
  useEffect(listenToListKeys, []);
  const search = (q) => {
    if (q === param("q")) asked.value += 1;
    else set({ q });
  };
  return html`<main class="view traces">
    <h1 class="hidden">Traces</h1>
    <div class="toolbar">
      <${QueryInput} query=${param("q")} onQuery=${search} completions="/traces/completions" label="Search spans"
        placeholder=${EXAMPLE} mistake=${mistakeIn(pages.error)} />
      <${TimeRange} /><${Workspace} /><${AskWhy} /><${Pin} panel=${pinned} size="" />
      <${SavedSearches} signal="traces" state=${savedState} open=${openSaved} />
      <${ApiCall} calls=${() => [["Traces", "/traces", question()]]} />
    </div>
    <${Filters} />
    <${SpanChanges} filters=${spanFilters()} inputs=${inputs} />
    <${Result} ...${pages} />
  </main>`;
}
