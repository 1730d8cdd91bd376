import { useState } from "../vendor/hooks.js";
import { set } from "../core/address.js";
import { toSecond } from "../core/format.js";
import { html } from "../core/html.js";
import { zone } from "../core/preferences.js";
import { PRESETS, range, written } from "../core/range.js";
import { Popover } from "./popover.js";

const HELP = "now-15m, 2026-07-14, 2026-07-14T03:33:20Z, or Unix time";

const shown = (text) => (/^\d{13}$/.test(text) ? toSecond(Number(text)) : text);

function labelOf({ from, to }) {
  const preset = to === "now" && PRESETS.find(([text]) => text === from);
  return preset ? preset[1] : `${shown(from)} – ${shown(to)}`;
}

function Form({ close }) {
  const [from, setFrom] = useState(range.value.from), [to, setTo] = useState(range.value.to);
  const apply = (event) => {
    event.preventDefault();
    set({ from: written(from, false), to: to.trim() === "now" ? "" : written(to, true) });
    close();
  };
  return html`<form class="range" onSubmit=${apply}>
    <label>From<input value=${from} spellcheck=${false} autocomplete="off" onInput=${(event) => setFrom(event.target.value)} /></label>
    <label>To<input value=${to} spellcheck=${false} autocomplete="off" onInput=${(event) => setTo(event.target.value)} /></label>
    <p class="soft">${HELP}. Times without a zone are ${zone.value === "utc" ? "UTC" : "local"}.</p>
    <button type="submit" class="primary">Apply</button>
  </form>`;
}

/** The time range that all views share. */
export function TimeRange() {
  return html`<${Popover} label=${html`<span class="hidden">Time range: </span>${labelOf(range.value)} ▾`} panel="ranges">
    ${(close) => html`
      <ul>${PRESETS.map(([from, name]) => html`<li><button type="button" class="quiet"
        aria-current=${range.value.from === from && range.value.to === "now"}
        onClick=${() => { set({ from, to: "" }); close(); }}>${name}</button></li>`)}</ul>
      <${Form} close=${close} />`}
  </${Popover}>`;
}
