import { useState } from "../vendor/hooks.js";
import { linkTo, param } from "../core/address.js";
import { html } from "../core/html.js";
import { labelOf } from "../core/query.js";
import { Copy } from "../components/copy.js";
import { curl } from "../components/api_call.js";
import { JsonTree, parsed } from "../components/json_tree.js";
import { CutText, LongText } from "../components/text.js";
import { visible } from "../core/text.js";
import { number } from "../core/format.js";
import { ColumnToggle, ValueActions } from "./field_actions.js";
import { groupsOf } from "./fields.js";
import { Surrounding } from "./surrounding.js";

const workspace = () => ({ workspace_id: param("workspace_id") });

const permalink = (log) => `${location.origin}${linkTo("/", { record: log.id, from: log.timestamp_ms - 60_000, to: log.timestamp_ms + 60_000 })}`;

const MOST_FIELDS = 200;

function Fields({ title, fields }) {
  const [all, setAll] = useState(false), shown = all ? fields : fields.slice(0, MOST_FIELDS);
  return html`<section><h3>${title}</h3><dl>${shown.map(([name, text]) => html`
    <dt key=${name}>${visible(labelOf(name))}</dt>
    <dd><span class="value"><${CutText} text=${text} /></span><${ValueActions} name=${name} text=${text} /><${ColumnToggle} name=${name} /></dd>`)}</dl>
    ${shown.length < fields.length && html`<button type="button" class="small" onClick=${() => setAll(true)}>Show all ${number(fields.length)}</button>`}</section>`;
}

const TraceLink = ({ log }) => log.trace_id
  && html`<a class="button" href=${linkTo(`/traces/${log.trace_id}`, { span: log.span_id })}>Open trace</a>`;

/** All of a log record: its body, fields, and what leads on from it. */
export function Record({ log, id }) {
  const [around, setAround] = useState(false), [raw, setRaw] = useState(false);
  const tree = parsed(log.body);
  return html`<div class="details" id=${id} role="row"><div role="cell">
    <p class="tools"><${TraceLink} log=${log} />
      <button type="button" class="small" aria-pressed=${around} onClick=${() => setAround(!around)}>Surrounding lines</button>
      ${tree && html`<button type="button" class="small" aria-pressed=${raw} onClick=${() => setRaw(!raw)}>As text</button>`}
      <${Copy} label="Copy JSON" text=${() => JSON.stringify(log, null, 2)} />
      <${Copy} label="Copy curl" text=${() => curl(`/logs/${log.id}`, workspace())} />
      <${Copy} label="Copy link" text=${() => permalink(log)} />
    </p>
    ${tree && !raw ? html`<${JsonTree} value=${tree} />` : html`<${LongText} text=${log.body} />`}
    ${around && html`<${Surrounding} log=${log} />`}
    <div class="groups">${groupsOf(log).map(([title, fields]) => html`<${Fields} key=${title} title=${title} fields=${fields} />`)}</div>
    <p class="soft">${log.timestamp} · id ${log.id}</p>
  </div></div>`;
}
