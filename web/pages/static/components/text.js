import { useState } from "../vendor/hooks.js";
import { bytes } from "../core/format.js";
import { html } from "../core/html.js";
import { pieces } from "../core/text.js";

const MOST_CHARACTERS = 10_000;

/** Text of a record: ANSI colours shown, control characters visible. */
export const Text = ({ text }) => pieces(text).map(({ text: piece, classes }) =>
  (classes.trim() ? html`<span class=${classes}>${piece}</span>` : piece));

/** A long text, cut until "Show all" is pressed. */
export function LongText({ text, class: name = "" }) {
  const [all, setAll] = useState(false);
  const cut = !all && text.length > MOST_CHARACTERS;
  return html`<pre class=${name} tabindex="0"><${Text} text=${cut ? text.slice(0, MOST_CHARACTERS) : text} />${
    cut && html`…<button type="button" onClick=${() => setAll(true)}>Show all (${bytes(text.length)})</button>`}</pre>`;
}
