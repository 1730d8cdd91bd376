import { param, set } from "../core/address.js";
import { get } from "../core/api.js";
import { moment } from "../core/format.js";
import { html } from "../core/html.js";
import { useLoaded } from "../core/load.js";
import { Problem } from "../components/problem.js";
import { Record } from "./record.js";

/** The record that the address names. */
export function Linked() {
  const id = param("record");
  const { content, error } = useLoaded(async (signal) =>
    (id ? get(`/logs/${encodeURIComponent(id)}`, { workspace_id: param("workspace_id") }, signal) : null), [id, param("workspace_id")]);
  if (!id || (!content && !error)) return null;
  return html`<section class="card linked" aria-label="Linked record">
    <div class="caption"><h2>Linked record${content ? `, ${moment(content.log.timestamp_ms)}` : ""}</h2>
      <button type="button" class="small end" onClick=${() => set({ record: "" })}>Close</button></div>
    <${Problem} error=${error} />
    ${content && html`<${Record} log=${content.log} id="linked-record" />`}
  </section>`;
}
