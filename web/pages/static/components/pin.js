import { useState } from "../vendor/hooks.js";
import { linkTo } from "../core/address.js";
import { html } from "../core/html.js";
import { useLoaded } from "../core/load.js";
import { range } from "../core/range.js";
import { saved } from "../core/saved.js";
import { visible } from "../core/text.js";
import { sizeOf } from "../dashboards/layout.js";
import { Popover } from "./popover.js";
import { Problem } from "./problem.js";

const dashboards = saved("dashboards");

/** What is pinned, as a list of panels with their sizes; parameters without a value are left out. */
const made = (panel) => [panel()].flat().map((each) => {
  const query = Object.fromEntries(Object.entries(each.query).filter(([, value]) => value !== undefined && value !== null && value !== ""));
  return { title: "", ...sizeOf(each.kind), ...each, query };
});

function Panel({ panel }) {
  const { content, error } = useLoaded((signal) => dashboards.list(signal), []);
  const [done, setDone] = useState(null), [problem, setProblem] = useState(null), [name, setName] = useState("");
  const pin = async ({ id }) => {
    const found = await dashboards.one(id);
    setDone(await dashboards.change({ ...found, panels: [...found.panels, ...made(panel)] }));
  };
  const create = async (event) => {
    event.preventDefault();
    const { from, to } = range.value;
    setDone(await dashboards.create({ name: name.trim(), start: from, end: to, panels: made(panel) }));
  };
  const tried = (act) => (given) => act(given).catch(setProblem);
  if (done) return html`<p role="status">Pinned to <a href=${linkTo(`/dashboards/${done.id}`)}>${visible(done.name)}</a>.</p>`;
  return html`<h2>Pin to dashboard</h2><${Problem} error=${problem ?? error} />
    <ul>${content?.map((dashboard) => html`<li key=${dashboard.id}><button type="button" class="quiet" onClick=${() => tried(pin)(dashboard)}>
      ${visible(dashboard.name)}</button></li>`)}</ul>
    <form onSubmit=${tried(create)}><input aria-label="Name of a new dashboard" placeholder="New dashboard" maxlength="200" value=${name}
      onInput=${(event) => setName(event.target.value)} /><button type="submit" class="small primary" disabled=${!name.trim()}>Pin</button></form>`;
}

/** A button that pins what a view shows: `panel()` is `{title, kind, query, signal}` as the API's dashboards have it, or a list of them.
 *
 * `align` is "left" for a panel that opens to the right, `size` is "" beside buttons of usual size.
 */
export const Pin = ({ panel, label = "Pin", align = "", size = "small" }) => html`<${Popover} label=${label} title="Pin to dashboard" class=${size} panel="pin ${align}">
  ${() => html`<${Panel} panel=${panel} />`}
</${Popover}>`;
