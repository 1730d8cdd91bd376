import { counted, number } from "../core/format.js";
import { html } from "../core/html.js";

const STATES = { connecting: "Connecting…", live: "Live", reconnecting: "Reconnecting…" };

/** What the live tail is doing. */
export function LiveBar({ live, resume }) {
  const { paused, held, skipped, uncertain, state, rate } = live;
  return html`<p id="live-status" class="live ${state.value}" role="status">
    <strong>${paused.value ? "Paused" : STATES[state.value]}</strong>
    <span class="soft">${number(rate.value)} per second</span>
    ${paused.value && html`<button type="button" class="primary small" onClick=${resume}>${number(held.value)} new</button>`}
    ${skipped.value > 0 && html`<span>${counted(skipped.value, "record")} skipped: narrow the search to see all.</span>`}
    ${uncertain.value && html`<span>Some records may have been missed.</span>`}
  </p>`;
}
