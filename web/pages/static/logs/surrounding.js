import { useEffect, useState } from "../vendor/hooks.js";
import { param } from "../core/address.js";
import { get } from "../core/api.js";
import { moment } from "../core/format.js";
import { html } from "../core/html.js";
import { levelOf } from "../core/levels.js";
import { Problem } from "../components/problem.js";
import { Text } from "../components/text.js";

const LINES = 10, LINE_CHARACTERS = 1000;

const Line = ({ log, self }) => html`<li class=${levelOf(log.severity_text, log.severity_number)} aria-current=${self ? "true" : undefined}>
  <time title=${log.timestamp}>${moment(log.timestamp_ms).slice(11)}</time> <${Text} text=${log.body.slice(0, LINE_CHARACTERS)} /></li>`;

/** What the same stream wrote before and after a record, in both directions. */
export function Surrounding({ log }) {
  const [lines, setLines] = useState(null), [error, setError] = useState(null);
  const load = async (cursor) => {
    const query = { workspace_id: param("workspace_id"), before: LINES, after: LINES, cursor };
    try {
      const more = await get(`/logs/${log.id}/surrounding`, query);
      setLines((now) => (!now ? more : cursor === now.previous_cursor
        ? { ...now, before: [...more.before, ...now.before], previous_cursor: more.previous_cursor }
        : { ...now, after: [...now.after, ...more.after], next_cursor: more.next_cursor }));
    } catch (problem) { setError(problem); }
  };
  useEffect(() => { load(); }, [log.id]);
  if (error) return html`<${Problem} error=${error} />`;
  if (!lines) return html`<p class="status">Loading…</p>`;
  const More = ({ cursor, label }) => cursor && html`<button type="button" class="small" onClick=${() => load(cursor)}>${label}</button>`;
  return html`<section class="surrounding" aria-label="Surrounding lines">
    <${More} cursor=${lines.previous_cursor} label="Earlier lines" />
    <ol>${lines.before.map((each) => html`<${Line} key=${each.id} log=${each} />`)}<${Line} key=${log.id} log=${log} self=${true} />${
      lines.after.map((each) => html`<${Line} key=${each.id} log=${each} />`)}</ol>
    <${More} cursor=${lines.next_cursor} label="Later lines" />
  </section>`;
}
