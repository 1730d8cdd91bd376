import { ApiCall } from "../components/api_call.js";
import { Refresh } from "../components/refresh.js";
import { Workspace } from "../components/workspace.js";
import { param } from "../core/address.js";
import { html } from "../core/html.js";
import { Batches } from "./batches.js";
import { DeadLetters } from "./dead_letters.js";
import { Disk } from "./disk.js";
import { Intake } from "./intake.js";
import { Jobs } from "./jobs.js";
import { Receipts } from "./receipts.js";
import { Retention } from "./retention.js";
import { useSamples } from "./samples.js";
import { Usage } from "./usage.js";
import { Workers } from "./workers.js";

const calls = () => {
  const query = { workspace_id: param("workspace_id") };
  return [["Status", "/status", query], ["Dead letters", "/dead-letters", query], ["Jobs", "/jobs", query],
    ["Retention", "/retention", query], ["Usage", "/usage", query]];
};

/** What Sheaf does with records: takes them in, stores, keeps and deletes them. */
export function View() {
  const [samples, error] = useSamples(), system = error ? null : samples.at(-1)?.system;
  return html`<main class="view state-of"><h1 class="hidden">Status</h1>
    <div class="toolbar end-aligned"><${Refresh} /><${Workspace} /><${ApiCall} calls=${calls} /></div>
    <div class="parts"><${Intake} samples=${samples} error=${error} /><${DeadLetters} />
      ${system?.batches && html`<${Batches} batches=${system.batches} />`}<${Jobs} />
      ${system?.workers && html`<${Workers} workers=${system.workers} flower=${system.flower_url} />`}
      ${system && html`<${Disk} disk=${system.disk} />`}<${Usage} /><${Retention} /><${Receipts} /></div></main>`;
}
