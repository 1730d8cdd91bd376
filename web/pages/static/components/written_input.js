import { useEffect, useState } from "../vendor/hooks.js";
import { html } from "../core/html.js";

/** An input that is read on Enter and when the focus leaves: `onWritten(text, input)`.
 *
 * What is being written stays when the view is rendered again meanwhile, until `value` changes.
 */
export function WrittenInput({ value, onWritten, ...attributes }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  return html`<input autocomplete="off" spellcheck=${false} ...${attributes} value=${text}
    onInput=${(event) => setText(event.target.value)} onChange=${({ target }) => onWritten(target.value.trim(), target)} />`;
}
