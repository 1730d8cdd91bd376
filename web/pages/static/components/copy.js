import { useState } from "../vendor/hooks.js";
import { html } from "../core/html.js";

const SHOWN_MS = 1500;

/** Whether the text is in the clipboard now. */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without TLS, browsers offer no clipboard but this.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

/** A button that copies `text()`. */
export function Copy({ text, label }) {
  const [said, setSaid] = useState("");
  const copy = async (event) => {
    const button = event.currentTarget;
    setSaid(await copied(text()) ? "Copied" : "Not copied");
    button.focus();
    setTimeout(() => setSaid(""), SHOWN_MS);
  };
  return html`<button type="button" class="small" onClick=${copy}>${said || label}</button>`;
}
