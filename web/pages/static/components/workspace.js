import { useState } from "../vendor/hooks.js";
import { linkHere, linkTo, param, path, visit } from "../core/address.js";
import { html } from "../core/html.js";
import { WrittenInput } from "./written_input.js";

/** The same view for another workspace, which does not have the record, trace or dashboard that this address names. */
function addressIn(workspace) {
  const list = /^\/[^/]+(?=\/)/.exec(path.value)?.[0];
  return list ? linkTo(list, { workspace_id: workspace }) : linkHere({ workspace_id: workspace, record: "", span: "", open: "" });
}

/** The workspace that all views share. With `same`, what the address names is looked for in the other one. */
export function Workspace({ same = false }) {
  const [refused, setRefused] = useState(0);
  const choose = (text) => { if (!visit(same ? linkHere({ workspace_id: text }) : addressIn(text))) setRefused(refused + 1); };
  return html`<label class="field">Workspace
    <${WrittenInput} key=${refused} name="workspace_id" size="12" maxlength="128" placeholder="default"
      value=${param("workspace_id")} onWritten=${choose} />
  </label>`;
}
