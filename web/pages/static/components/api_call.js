import { wholeAddress } from "../core/api.js";
import { html } from "../core/html.js";
import { Copy } from "./copy.js";
import { Popover } from "./popover.js";

const inShell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** The curl command of a request. */
export function curl(path, query, body) {
  const address = inShell(wholeAddress(path, query));
  return body === undefined ? `curl ${address}`
    : `curl ${address} -H 'Content-Type: application/json' -d ${inShell(JSON.stringify(body))}`;
}

/** A button that shows what the view shows as calls of the API: `calls` is a list of [name, path, query, body]. */
export function ApiCall({ calls }) {
  return html`<${Popover} label="API" title="View as API call" panel="wide">
    ${() => html`<h2>As API call</h2>${calls().map(([name, ...call]) => html`<div class="call" key=${name}>
      <p><strong>${name}</strong> <${Copy} label="Copy" text=${() => curl(...call)} /></p>
      <pre tabindex="0">${curl(...call)}</pre></div>`)}`}
  </${Popover}>`;
}
