import { columns, wrap } from "../core/preferences.js";
import { html } from "../core/html.js";
import { labelOf } from "../core/query.js";
import { visible } from "../core/text.js";
import { VirtualList } from "../components/virtual_list.js";
import { Row } from "./row.js";

const ROW_PX = 27;

const keyOf = (log) => log.id;

/** The log records, newest first. */
export function List({ records, opened, toggle, active, onScroll }) {
  const names = columns.value, items = records.list.value;
  const grid = `26px 184px 74px ${names.map(() => "minmax(90px, 150px) ").join("")}minmax(200px, 1fr)`;
  const row = (log, place) => html`<${Row} key=${log.id} log=${log} place=${place} columns=${names} wrapped=${wrap.value}
    opened=${opened.has(log.id)} active=${place === active} toggle=${toggle} />`;
  return html`<div class="records" role="table" aria-label="Log records, newest first" aria-busy=${records.searching.value} aria-rowcount=${items.length + 1} style=${{ "--grid": grid }}>
    <div class="heading" role="row" aria-rowindex="1">
      <span role="columnheader"><span class="hidden">Details</span></span><span role="columnheader">Time</span>
      <span role="columnheader">Severity</span>
      ${names.map((name) => html`<span role="columnheader" key=${name} title=${visible(name)}>${visible(labelOf(name))}</span>`)}
      <span role="columnheader">Message</span>
    </div>
    <${VirtualList} items=${items} keyOf=${keyOf} row=${row} estimate=${ROW_PX} focus=${active} onScroll=${onScroll}
      onEnd=${() => records.older()} role="rowgroup" id="rows" aria-label="Records" />
  </div>`;
}
