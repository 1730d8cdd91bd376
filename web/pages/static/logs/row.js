import { ago } from "../core/preferences.js";
import { moment, relative } from "../core/format.js";
import { html } from "../core/html.js";
import { levelOf, severityOf } from "../core/levels.js";
import { shortened, visible } from "../core/text.js";
import { Text } from "../components/text.js";
import { valueOf } from "./fields.js";
import { Record } from "./record.js";

const MOST_LEVEL = 20, LINE_CHARACTERS = 1000, WRAPPED_CHARACTERS = 10_000;

function messageOf(body, wrapped) {
  const text = wrapped ? body : body.split("\n", 1)[0];
  return text.slice(0, wrapped ? WRAPPED_CHARACTERS : LINE_CHARACTERS);
}

const Cell = ({ text }) => html`<span role="cell" class="value" title=${visible(text)}><${Text} text=${text.slice(0, LINE_CHARACTERS)} /></span>`;

/** One log record of the list, and its details while it is open. */
export function Row({ log, columns, wrapped, opened, active, toggle, place }) {
  const severity = severityOf(log), id = `details-${log.id}`, lines = log.body.split("\n").length;
  const clicked = () => { if (!getSelection().toString()) toggle(log.id); };
  return html`<div class="item ${levelOf(log.severity_text, log.severity_number)}" data-key=${log.id} role="presentation">
    <div class="record ${active ? "active" : ""} ${wrapped ? "wrapped" : ""}" role="row" aria-rowindex=${place + 2} onClick=${clicked}>
      <span role="cell"><button type="button" class="open" aria-expanded=${opened} aria-controls=${opened ? id : undefined}
        aria-label="Details of the record at ${moment(log.timestamp_ms)}"
        onClick=${(event) => { event.stopPropagation(); toggle(log.id); }}>›</button></span>
      <time role="cell" dateTime=${log.timestamp} title=${log.timestamp}>${ago.value ? relative(log.timestamp_ms) : moment(log.timestamp_ms)}</time>
      <span role="cell">${severity && html`<span class="badge" title=${visible(severity)}>${shortened(severity, MOST_LEVEL)}</span>`}</span>
      ${columns.map((name) => html`<${Cell} key=${name} text=${valueOf(log, name) ?? ""} />`)}
      <span role="cell" class="message"><${Text} text=${messageOf(log.body, wrapped)} />${
        !wrapped && lines > 1 && html` <small class="soft">+${lines - 1} lines</small>`}</span>
    </div>
    ${opened && html`<${Record} log=${log} id=${id} />`}
  </div>`;
}
