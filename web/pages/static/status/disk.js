import { bytes, number } from "../core/format.js";
import { html } from "../core/html.js";
import { Figure, Part } from "./part.js";

const known = (value) => value !== null && value !== undefined;

/** The space of both stores, and what takes it. */
export function Disk({ disk }) {
  const tables = disk.tables ?? [], most = Math.max(1, ...tables.map((table) => table.bytes));
  return html`<${Part} title="Disk and memory" id="disk"><dl class="figures">
      ${known(disk.clickhouse_free) && html`<${Figure} name="ClickHouse, free" value=${bytes(disk.clickhouse_free)}
        title=${known(disk.clickhouse_size) ? `Of ${bytes(disk.clickhouse_size)}` : ""} />`}
      ${known(disk.broker_free) && html`<${Figure} name="Broker's disk, free" value=${bytes(disk.broker_free)} />`}
      ${known(disk.broker_memory) && html`<${Figure} name="Broker's memory" value=${bytes(disk.broker_memory)}
        title=${disk.broker_max_memory ? `Of ${bytes(disk.broker_max_memory)}` : "Without a limit"} />`}</dl>
    ${disk.tables === null && html`<p class="status bad">ClickHouse cannot be reached.</p>`}
    ${tables.length > 0 && html`<div class="scrolled" tabindex="0" role="group" aria-label="Tables"><table class="grid"><thead><tr><th>Table</th><th class="number">Rows</th>
      <th class="number">Size</th><th><span class="hidden">Share of the largest</span></th></tr></thead>
      <tbody>${tables.map((table) => html`<tr key=${table.name}><td>${table.name}</td><td class="number">${number(table.rows)}</td><td class="number">${bytes(table.bytes)}</td>
        <td><meter min="0" max=${most} value=${table.bytes} aria-label=${bytes(table.bytes)}></meter></td></tr>`)}</tbody></table></div>`}
  </${Part}>`;
}
