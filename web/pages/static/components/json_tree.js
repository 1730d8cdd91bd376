import { html } from "../core/html.js";
import { Text } from "./text.js";

const OPEN_DEPTH = 2, MOST_CHARACTERS = 100_000, MOST_MEMBERS = 200;

/** A text as a JSON object or list; null if it is something else or very long. */
export function parsed(text) {
  if (text.length > MOST_CHARACTERS || !/^\s*[{[]/.test(text)) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const Name = ({ name }) => name !== undefined && html`<span class="key"><${Text} text=${String(name)} /></span>: `;

/** A JSON value; objects and lists open and close. */
export function JsonTree({ value, name, depth = 0 }) {
  if (value === null || typeof value !== "object") {
    return html`<div class="json"><${Name} name=${name} /><span class=${value === null ? "null" : typeof value}><${Text} text=${JSON.stringify(value)} /></span></div>`;
  }
  const members = Object.entries(value), list = Array.isArray(value);
  return html`<details class="json" open=${depth < OPEN_DEPTH}>
    <summary><${Name} name=${name} /><span class="soft">${list ? `[ ${members.length} ]` : `{ ${members.length} }`}</span></summary>
    ${members.slice(0, MOST_MEMBERS).map(([key, member]) => html`<${JsonTree} key=${key} name=${list ? undefined : key} value=${member} depth=${depth + 1} />`)}
    ${members.length > MOST_MEMBERS && html`<p class="soft">${members.length - MOST_MEMBERS} more</p>`}
  </details>`;
}
