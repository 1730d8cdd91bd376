import { param, set } from "../core/address.js";
import { html } from "../core/html.js";

/** The workspace that all views share. */
export function Workspace() {
  return html`<label class="field">Workspace
    <input name="workspace_id" size="12" maxlength="128" placeholder="default" autocomplete="off" spellcheck="false"
      value=${param("workspace_id")} onChange=${(event) => set({ workspace_id: event.target.value.trim() })} />
  </label>`;
}
