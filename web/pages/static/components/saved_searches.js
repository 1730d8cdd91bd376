import { useState } from "../vendor/hooks.js";
import { html } from "../core/html.js";
import { useLoaded } from "../core/load.js";
import { visible } from "../core/text.js";
import { saved } from "../core/saved.js";
import { Popover } from "./popover.js";
import { Problem } from "./problem.js";

const searches = saved("saved-searches");

const summary = ({ q, start, end }) => `${q || "all records"} · ${start} – ${end}`;

function Row({ search, onOpen, onChanged, onError }) {
  const [name, setName] = useState(null), shown = visible(search.name);
  const act = (done) => done.then(onChanged, onError);
  const rename = (event) => {
    event.preventDefault();
    setName(null);
    if (name.trim() && name.trim() !== search.name) act(searches.change({ ...search, name: name.trim() }));
  };
  if (name !== null) {
    return html`<li><form class="saved" onSubmit=${rename}>
      <input aria-label="New name of ${shown}" value=${name} maxlength="200" autofocus onInput=${(event) => setName(event.target.value)} />
      <button type="submit" class="small">Rename</button></form></li>`;
  }
  return html`<li class="saved">
    <button type="button" class="quiet" onClick=${onOpen}>${shown}<span class="soft">${visible(summary(search))}</span></button>
    <button type="button" class="small" aria-label="Rename ${shown}" onClick=${() => setName(search.name)}>Rename</button>
    <button type="button" class="small" aria-label="Delete ${shown}" onClick=${() => act(searches.remove(search))}>Delete</button>
  </li>`;
}

function Panel({ signal, state, open, close }) {
  const [again, setAgain] = useState(0), [failed, setFailed] = useState(null), [name, setName] = useState("");
  const { content, error } = useLoaded((stop) => searches.list(stop), [again]);
  const changed = () => { setFailed(null); setAgain((before) => before + 1); };
  const save = (event) => {
    event.preventDefault();
    const { q, from, to, columns, filters } = state();
    searches.create({ name: name.trim(), signal, q, start: from || undefined, end: to || undefined, columns, filters })
      .then(() => { setName(""); changed(); }, setFailed);
  };
  const own = content?.filter((search) => search.signal === signal);
  return html`<h2>Saved searches</h2>
    <${Problem} error=${failed ?? error} />
    ${own?.length === 0 && html`<p class="soft">None in this workspace yet.</p>`}
    <ul>${own?.map((search) => html`<${Row} key=${search.id} search=${search} onChanged=${changed} onError=${setFailed}
      onOpen=${() => {
        close();
        open({ q: search.q, from: search.start, to: search.end, columns: search.columns, filters: search.filters });
      }} />`)}</ul>
    <form class="saved" onSubmit=${save}>
      <input aria-label="Name" placeholder="Name of this search" maxlength="200" value=${name} onInput=${(event) => setName(event.target.value)} />
      <button type="submit" class="small primary" disabled=${!name.trim()}>Save this search</button>
    </form>`;
}

/** A button with the workspace's saved searches, and a form that saves the current one.
 *
 * `signal` is `logs` or `traces`; `state()` is what is shown now, `{q, from, to, columns, filters}`, where the filters are the
 * API's other parameters by name; `open(saved)` shows one, in the same shape.
 */
export const SavedSearches = ({ signal, state, open }) => html`<${Popover} label="Saved" title="Saved searches" panel="wide">
  ${(close) => html`<${Panel} signal=${signal} state=${state} open=${open} close=${close} />`}
</${Popover}>`;
