import { ApiError } from "../core/api.js";
import { html } from "../core/html.js";

const UNEXPECTED = "Something went wrong. Reload the page.";

/** What a failed request says; nothing without an error, or if it is one that the query box shows. */
export function Problem({ error }) {
  if (!error || error.fields?.q) return null;
  if (!(error instanceof ApiError)) console.error(error);
  return html`<p class="status bad" role="alert">${error instanceof ApiError ? error.message : UNEXPECTED}</p>`;
}
