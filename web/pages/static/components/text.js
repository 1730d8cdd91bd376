import { useState } from "../vendor/hooks.js";
import { bytes } from "../core/format.js";
import { html } from "../core/html.js";
import { pieces } from "../core/text.js";

const MOST_CHARACTERS = 10_000;

/** Text of a record: ANSI colours shown, control characters visible. */
export const Text = ({ text }) => pieces(text).map(({ text: piece, classes }) =>
  (classes.trim() ? html`<span class=${classes}>${piece}</span>` : piece));

/** A text that is cut, if it is long, until "Show all" is pressed. */
export function CutText({ text }) {
  const [all, setAll] = useState(false);
  const cut = !all && text.length > MOST_CHARACTERS;
  return html`<${Text} text=${cut ? text.slice(0, MOST_CHARACTERS) : text} />${
    cut && html`…<button type="button" onClick=${() => setAll(true)}>Show all (${bytes(text.length)})</button>`}`;
}

/** A long text as it is written, line by line. */
export const LongText = ({ text, class: name = "" }) => html`<pre class=${name} tabindex="0"><${CutText} text=${text} /></pre>`;
