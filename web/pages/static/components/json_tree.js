import { useState } from "../vendor/hooks.js";
import { html } from "../core/html.js";
import { Text } from "./text.js";

const OPEN_DEPTH = 2, MOST_CHARACTERS = 100_000, MOST_MEMBERS = 200;

/** A number that JavaScript does not have, as it is written. */
class Written {
  constructor(text) { this.text = text; }
}

/** Whether this browser says how a number is written. */
const KNOWS_SOURCE = JSON.parse("1", (_, value, context) => context?.source === "1");
const INEXACT = /[\d.]{16}|\d[eE.]/;

const asWritten = (_, value, context) =>
  (typeof value === "number" && context?.source !== undefined && String(value) !== context.source ? new Written(context.source) : value);

/** A text as a JSON object or list; null if it is something else, very long, or would not be shown as it is. */
export function parsed(text) {
  if (text.length > MOST_CHARACTERS || !/^\s*[{[]/.test(text) || (!KNOWS_SOURCE && INEXACT.test(text))) return null;
  try {
    return JSON.parse(text, asWritten);
  } catch {
    return null;
  }
}

/** How a value without members is shown: its text, and a class. */
function leafOf(value) {
  if (value instanceof Written) return [value.text, "number"];
  return [JSON.stringify(value), value === null ? "null" : typeof value];
}

const Name = ({ name }) => name !== undefined && html`<span class="key"><${Text} text=${String(name)} /></span>: `;

/** A JSON value; objects and lists open and close. */
export function JsonTree({ value, name, depth = 0 }) {
  const [open, setOpen] = useState(depth < OPEN_DEPTH);
  if (value === null || typeof value !== "object" || value instanceof Written) {
    const [text, kind] = leafOf(value);
    return html`<div class="json"><${Name} name=${name} /><span class=${kind}><${Text} text=${text} /></span></div>`;
  }
  const members = Object.entries(value), list = Array.isArray(value);
  return html`<details class="json" open=${open} onToggle=${(event) => setOpen(event.currentTarget.open)}>
    <summary><${Name} name=${name} /><span class="soft">${list ? `[ ${members.length} ]` : `{ ${members.length} }`}</span></summary>
    ${open && members.slice(0, MOST_MEMBERS).map(([key, member]) => html`<${JsonTree} key=${key} name=${list ? undefined : key} value=${member} depth=${depth + 1} />`)}
    ${open && members.length > MOST_MEMBERS && html`<p class="soft">${members.length - MOST_MEMBERS} more</p>`}
  </details>`;
}
