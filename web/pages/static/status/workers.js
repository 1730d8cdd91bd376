import { counted, number, relative, toSecond } from "../core/format.js";
import { html } from "../core/html.js";
import { Part } from "./part.js";

const Tasks = ({ tasks }) => tasks.map(({ name, running, done }) => html`<div key=${name} class="task"><code>${name}</code>
  <span class="soft">${running > 0 && html`<strong>${number(running)} running</strong>, `}${number(done)} done</span></div>`);

const Worker = ({ worker }) => html`<tr><td>${worker.name}<div class="soft">process ${worker.pid}, ${counted(worker.threads, "thread")}</div></td>
  <td title=${toSecond(worker.started_ms)}>${relative(worker.started_ms)}</td><td>${worker.tasks.length ? html`<${Tasks} tasks=${worker.tasks} />` : "–"}</td></tr>`;

/** The workers that reported lately, and their tasks. */
export function Workers({ workers, flower }) {
  const link = flower && html`<a href=${flower} rel="noreferrer" target="_blank">Flower</a>`;
  return html`<${Part} title="Workers" id="workers" beside=${link}>
    ${!workers.length ? html`<p class="status bad">No worker has reported in the last ten seconds: records are accepted, and wait.</p>`
      : html`<div class="scrolled" tabindex="0" role="group" aria-label="List of workers"><table class="grid"><thead><tr><th>Worker</th><th>Started</th><th>Tasks</th></tr></thead>
        <tbody>${workers.map((worker) => html`<${Worker} key=${worker.name} worker=${worker} />`)}</tbody></table></div>`}
  </${Part}>`;
}
