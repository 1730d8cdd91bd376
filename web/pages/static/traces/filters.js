import { get } from "../core/api.js";
import { param, set } from "../core/address.js";
import { html } from "../core/html.js";
import { useLoaded } from "../core/load.js";
import { asked, range, rangeNow } from "../core/range.js";
import { WrittenInput } from "../components/written_input.js";

/** Parameters of the address that filter and sort the list, as the API takes them. */
export const FILTERS = ["service_name", "status", "min_duration_ms", "sort"];

const STATUSES = [["", "Any"], ["error", "Error"], ["ok", "Ok"], ["unset", "Unset"]];
const SORTS = [["", "Newest first"], ["duration", "Longest first"]];

const Choice = ({ label, name, choices }) => html`<label class="field">${label}
  <select value=${param(name)} onChange=${(event) => set({ [name]: event.target.value })}>
    ${choices.map(([value, text]) => html`<option key=${value} value=${value} selected=${value === param(name)}>${text}</option>`)}
  </select></label>`;

const written = (name) => (text, input) => { if (input.validity.valid) set({ [name]: text }); };

/** The filters beside the query. A failure to list services is not shown: a service can be typed. */
export function Filters() {
  const { content } = useLoaded((signal) => get("/traces/services", { workspace_id: param("workspace_id"), ...rangeNow() }, signal),
    [param("workspace_id"), range.value.from, range.value.to, asked.value]);
  return html`<div class="toolbar" role="group" aria-label="Filters">
    <label class="field">Service <${WrittenInput} list="services" size="18" maxlength="1024" placeholder="Any"
      value=${param("service_name")} onWritten=${written("service_name")} /></label>
    <datalist id="services">${content?.services.map(({ service_name: name }) => html`<option key=${name} value=${name} />`)}</datalist>
    <${Choice} label="Status" name="status" choices=${STATUSES} />
    <label class="field">At least <${WrittenInput} type="number" min="0" step="any" size="7" placeholder="0" aria-label="Minimum duration in milliseconds"
      value=${param("min_duration_ms")} onWritten=${written("min_duration_ms")} /> ms</label>
    <${Choice} label="Sort" name="sort" choices=${SORTS} />
  </div>`;
}
