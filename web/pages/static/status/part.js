import { Problem } from "../components/problem.js";
import { html } from "../core/html.js";

/** A part of the status: its title, and its content, or one line about why it cannot be seen. */
export function Part({ title, id, error, beside, children }) {
  const refused = error?.status === 403;
  return html`<section class="card part ${id}" aria-labelledby="part-${id}">
    <div class="part-title"><h2 id="part-${id}">${title}</h2>${!error && beside}</div>
    ${refused ? html`<p class="status" role="status">Not shown: ${error.message}</p>`
      : error ? html`<${Problem} error=${error} />` : children}
  </section>`;
}

/** A number with its name. */
export const Figure = ({ name, value, bad = false, title }) => html`<div class="figure" title=${title}>
  <dt>${name}</dt><dd class=${bad ? "bad" : ""}>${value}</dd></div>`;
