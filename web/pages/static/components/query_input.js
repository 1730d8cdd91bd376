import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { get } from "../core/api.js";
import { param } from "../core/address.js";
import { short } from "../core/format.js";
import { html } from "../core/html.js";
import { queries, rememberQuery } from "../core/preferences.js";
import { rangeNow } from "../core/range.js";
import { useStateOf } from "../core/state.js";
import { CheatSheet } from "./cheat_sheet.js";

const WAIT_MS = 80, MOST_QUERIES = 12;

/** What may stand at the cursor: choices of the API, or earlier queries if nothing is written yet. */
async function choicesAt(text, cursor, completions, signal) {
  if (!text.trim()) {
    const choices = queries.value.slice(0, MOST_QUERIES).map((query) => ({ text: query, label: query, kind: "query" }));
    return { from: 0, to: text.length, choices };
  }
  const query = { q: text, cursor, workspace_id: param("workspace_id"), ...rangeNow() };
  return get(completions, query, signal);
}

function useChoices(completions) {
  const [found, setFound] = useState(null), running = useRef(null);
  const drop = () => {
    running.current?.abort();
    setFound(null);
  };
  const ask = (text, cursor) => {
    running.current?.abort();
    const controller = running.current = new AbortController();
    setTimeout(async () => {
      if (controller.signal.aborted) return;
      // A query can be written without completion, so its failure is not shown.
      const answer = await choicesAt(text, cursor, completions, controller.signal).catch(() => null);
      if (!controller.signal.aborted) setFound(answer?.choices.length ? { ...answer, active: -1 } : null);
    }, WAIT_MS);
  };
  useEffect(() => drop, []);
  return [found, setFound, ask, drop];
}

function Choices({ id, found, take }) {
  return html`<ul id=${id} role="listbox" class="choices" aria-label="Completions">
    ${found.choices.map((choice, place) => html`<li key=${place} id="${id}-${place}" role="option"
      aria-selected=${place === found.active} onPointerDown=${(event) => { event.preventDefault(); take(choice); }}>
      <code>${choice.label ?? choice.text}</code>
      <span class="soft">${choice.about ?? choice.kind}${(choice.count ?? null) !== null && html` <b>${short(choice.count)}</b>`}</span>
    </li>`)}
  </ul>`;
}

/** Underlines a place of the input's text, from behind it. */
const Underlined = ({ text, place: { position, length }, scrolled }) => html`<div class="underlay" aria-hidden="true">
  <span style=${{ marginLeft: `-${scrolled}px` }}>${text.slice(0, position)}<u>${text.slice(position, position + Math.max(1, length)) || " "}</u></span></div>`;

/** The query box: `onQuery(text)` is called when a query is to be run.
 *
 * `completions` is the API path that completes it; `mistake` is about the query
 * that was run: `{position, length, text}`.
 */
export function QueryInput({ query, onQuery, completions, placeholder, label = "Search", mistake }) {
  const [text, setText] = useStateOf(query, query), [scrolled, setScrolled] = useState(0);
  const [found, setFound, ask, drop] = useChoices(completions);
  const input = useRef(null), id = `choices-of-${label.replace(/\W/g, "")}`;

  const run = (next = text) => {
    drop();
    rememberQuery(next.trim());
    onQuery(next.trim());
  };
  const take = (choice) => {
    const next = text.slice(0, found.from) + choice.text + text.slice(found.to);
    setText(next);
    drop();
    if (choice.kind === "query") return run(next);
    const cursor = found.from + choice.text.length;
    return setTimeout(() => {
      input.current?.focus();
      input.current?.setSelectionRange(cursor, cursor);
      if (choice.text.endsWith(":")) ask(next, cursor);
    });
  };
  const move = (step) => setFound({ ...found,
    active: (found.active + step + found.choices.length + (found.active < 0 && step < 0 ? 1 : 0)) % found.choices.length });
  const onKeyDown = (event) => {
    const chosen = found?.choices[found.active];
    if (event.key === "ArrowDown" && !found) ask(text, event.target.selectionStart);
    else if (event.key === "ArrowDown" && found) move(1);
    else if (event.key === "ArrowUp" && found) move(-1);
    else if (event.key === "Enter" && chosen) take(chosen);
    else if (event.key === "Enter") run();
    else if (event.key === "Tab" && chosen) take(chosen);
    else if (event.key === "Escape" && found) drop();
    else return;
    if (event.key === "Escape") event.stopPropagation();
    event.preventDefault();
  };
  const written = (event) => {
    setText(event.target.value);
    ask(event.target.value, event.target.selectionStart);
  };
  const wrong = mistake && text === query;
  return html`<div class="query" role="search">
    <div class="box">
      <input ref=${input} id="query" type="text" role="combobox" aria-label=${label} aria-autocomplete="list"
        aria-expanded=${Boolean(found)} aria-controls=${id} autocomplete="off" spellcheck=${false} maxlength="4096"
        aria-activedescendant=${found && found.active >= 0 ? `${id}-${found.active}` : undefined}
        aria-invalid=${Boolean(wrong)} aria-describedby="mistake" placeholder=${placeholder} value=${text}
        onInput=${written} onKeyDown=${onKeyDown} onBlur=${drop} onScroll=${(event) => setScrolled(event.target.scrollLeft)}
        onFocus=${() => { if (!text) ask("", 0); }} />
      ${wrong && html`<${Underlined} text=${text} place=${mistake} scrolled=${scrolled} />`}
      ${found ? html`<${Choices} id=${id} found=${found} take=${take} />` : html`<ul id=${id} role="listbox" hidden aria-label="Completions"></ul>`}
    </div>
    <button type="button" class="primary" onClick=${() => run()}>Search</button>
    <${CheatSheet} />
    <p id="mistake" role="alert" class="mistake">${wrong ? mistake.text : ""}</p>
  </div>`;
}
