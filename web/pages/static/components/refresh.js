import { html } from "../core/html.js";
import { asked } from "../core/range.js";

/** A button that loads everything again, up to this moment. */
export const Refresh = () => html`<button type="button" title="Load again" aria-label="Load again"
  onClick=${() => { asked.value += 1; }}>↻</button>`;
