import { html } from "../core/html.js";
import { useLoaded } from "../core/load.js";
import { visible } from "../core/text.js";
import { Problem } from "../components/problem.js";
import { Content } from "./contents.js";
import { KINDS, titleOf } from "./kinds.js";
import { heightened, pixels, widened } from "./layout.js";

const HEADING_PX = 40;

/** A button for one step; it keeps the focus when its panel moves. */
function Step({ label, sign, onClick }) {
  const press = ({ currentTarget: button }) => {
    onClick();
    requestAnimationFrame(() => button.focus());
  };
  return html`<button type="button" class="small" aria-label=${label} title=${label} onClick=${press}>${sign}</button>`;
}

/** The controls of a panel while the dashboard is edited. */
const Controls = ({ panel, title, change, move, edit, remove }) => html`<div class="panel-controls" role="group" aria-label="Change ${title}">
  <${Step} label="Move ${title} back" sign="←" onClick=${() => move(-1)} />
  <${Step} label="Move ${title} forward" sign="→" onClick=${() => move(1)} />
  <${Step} label="Narrower: ${title}" sign="↔−" onClick=${() => change(widened(panel, -1))} />
  <${Step} label="Wider: ${title}" sign="↔+" onClick=${() => change(widened(panel, 1))} />
  <${Step} label="Lower: ${title}" sign="↕−" onClick=${() => change(heightened(panel, -1))} />
  <${Step} label="Higher: ${title}" sign="↕+" onClick=${() => change(heightened(panel, 1))} />
  <button type="button" class="small" aria-label="Edit ${title}" onClick=${edit}>Edit</button>
  <button type="button" class="small" aria-label="Remove ${title}" onClick=${remove}>Remove</button>
</div>`;

/** A panel. It loads again when `version` changes; `when` is the time range in milliseconds, the same for all panels. */
export function Panel({ panel, when, version, editing, ...acts }) {
  const title = visible(titleOf(panel)), kind = KINDS[panel.kind];
  const { content, error, loading } = useLoaded((signal) => kind.read(panel, when, signal), [version]);
  const height = pixels(panel.height), heading = editing ? 2 * HEADING_PX : HEADING_PX;
  return html`<section class="card panel" aria-label=${title} aria-busy=${loading}
    style=${{ gridColumn: `span ${panel.width}`, gridRow: `span ${panel.height}` }}>
    <h2><a href=${kind.href(panel)} title="Open ${title}">${title}</a></h2>
    ${editing && html`<${Controls} panel=${panel} title=${title} ...${acts} />`}
    <div class="panel-content"><${Problem} error=${error} />
      ${!content && loading && html`<p class="soft nothing">Loading…</p>`}
      ${content && html`<${Content} panel=${panel} content=${content} title=${title} height=${height - heading} />`}</div>
  </section>`;
}
