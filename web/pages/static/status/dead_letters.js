import { LongText } from "../components/text.js";
import { inWorkspace, param } from "../core/address.js";
import { addressOf, get, post, remove } from "../core/api.js";
import { bytes, counted, number, relative, toSecond } from "../core/format.js";
import { html } from "../core/html.js";
import { useLoaded } from "../core/load.js";
import { visible } from "../core/text.js";
import { useState } from "../vendor/hooks.js";
import { useAct } from "./act.js";
import { Confirmed } from "./confirm.js";
import { Part } from "./part.js";
import { usePolled } from "./poll.js";

const EVERY_MS = 5000, MOST = 100;

const workspace = () => param("workspace_id");

/** The first records of a dead letter, as they can be decoded. */
function Records({ id }) {
  const { content, error } = useLoaded((signal) => get(`/dead-letters/${id}`, { workspace_id: workspace(), records: 20 }, signal), [id]);
  if (error) return html`<p class="bad">${error.message}</p>`;
  if (!content) return html`<p class="soft">Loading …</p>`;
  return content.records.length ? html`<${LongText} text=${JSON.stringify(content.records, null, 2)} />`
    : html`<p class="soft">Its records cannot be decoded.</p>`;
}

function Letter({ letter, act }) {
  const [shown, setShown] = useState(false), query = inWorkspace();
  const what = `${counted(letter.records, "record")} of ${letter.signal}`;
  const replay = () => act(post(`/dead-letters/${letter.id}/replay`, query),
    ({ replayed }) => (replayed ? `${what} will be stored again.` : "It was replayed or dropped before."));
  const drop = () => act(remove(addressOf(`/dead-letters/${letter.id}`, query)),
    ({ dropped }) => (dropped ? `${what} were dropped.` : "It was replayed or dropped before."));
  return html`<tr><td><button type="button" class="quiet small" aria-expanded=${shown} onClick=${() => setShown(!shown)}>
        ${shown ? "▾" : "▸"} <span title=${toSecond(letter.buried_ms)}>${relative(letter.buried_ms)}</span></button></td>
      <td>${letter.signal}</td><td class="number">${number(letter.records)}</td><td class="number">${bytes(letter.bytes)}</td>
      <td class="reason">${visible(letter.reason)}</td>
      <td class="acts"><button type="button" class="small" aria-label="Replay ${what}" onClick=${replay}>Replay</button>
        <${Confirmed} label="Drop" title="Drop ${what}" question="Drop ${what} for good?" yes="Drop" onYes=${drop} /></td></tr>
    ${shown && html`<tr class="opened"><td colspan="6"><${Records} id=${letter.id} /></td></tr>`}`;
}

/** Chunks that could not be stored: why, and what to do with them. */
export function DeadLetters() {
  const [reason, setReason] = useState(""), filters = { workspace_id: workspace(), reason: reason.trim() };
  const { content, error, again } = usePolled((signal) => get("/dead-letters", { ...filters, limit: MOST }, signal),
    EVERY_MS, [filters.reason, filters.workspace_id]);
  const [act, said] = useAct(again), letters = content?.dead_letters ?? [];
  const body = Object.fromEntries(Object.entries(filters).filter(([, value]) => value));
  const all = html`<div class="acts"><input type="search" aria-label="Filter dead letters by reason" placeholder="Reason contains" value=${reason}
      maxlength="1024" autocomplete="off" onInput=${(event) => setReason(event.target.value)} />
    ${letters.length > 0 && html`<button type="button" class="small" onClick=${() => act(post("/jobs/replay", body),
      () => "A job replays them.")}>Replay all</button>`}</div>`;
  return html`<${Part} title="Dead letters" id="dead-letters" error=${error} beside=${all}>
    ${said}
    ${content && !letters.length && html`<p class="status">${reason ? "No dead letter has this in its reason." : "None: every chunk could be stored."}</p>`}
    ${letters.length > 0 && html`<div class="scrolled" tabindex="0" role="group" aria-label="List of dead letters"><table class="grid"><thead><tr><th>Since</th>
      <th>Signal</th><th class="number">Records</th><th class="number">Size</th><th>Reason</th><th><span class="hidden">Actions</span></th></tr></thead>
      <tbody>${letters.map((letter) => html`<${Letter} key=${letter.id} letter=${letter} act=${act} />`)}</tbody></table></div>`}
    ${content?.next_cursor && html`<p class="status">The newest ${MOST} of more.</p>`}
  </${Part}>`;
}
