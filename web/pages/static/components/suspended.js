import { useEffect, useState } from "../vendor/hooks.js";
import { html } from "../core/html.js";

const FAILED = "This part of the page cannot be loaded. Reload the page.";

/** A view whose module is loaded when it is first opened. */
export function Suspended({ load, named }) {
  const [state, setState] = useState({});
  useEffect(() => {
    load().then(({ View }) => setState({ View }), (error) => {
      setState({ failed: true });
      throw error;
    });
  }, []);
  if (state.failed) return html`<p class="status bad" role="alert">${FAILED}</p>`;
  return state.View ? html`<${state.View} named=${named} />` : null;
}
