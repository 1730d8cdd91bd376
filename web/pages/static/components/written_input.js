import { html } from "../core/html.js";
import { useStateOf } from "../core/state.js";

/** An input that is read on Enter and when the focus leaves: `onWritten(text, input)`.
 *
 * What is being written stays when the view is rendered again meanwhile, until `value` changes.
 */
export function WrittenInput({ value, onWritten, ...attributes }) {
  const [text, setText] = useStateOf(value, value);
  return html`<input autocomplete="off" spellcheck=${false} ...${attributes} value=${text}
    onInput=${(event) => setText(event.target.value)} onChange=${({ target }) => onWritten(target.value.trim(), target)} />`;
}
