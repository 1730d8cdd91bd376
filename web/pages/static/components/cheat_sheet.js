import { html } from "../core/html.js";
import { Popover } from "./popover.js";

const EXAMPLES = [
  ["timeout refused", "both words, in either case"],
  ['"connection refused"', "this text"],
  ["time*", "words that begin with time"],
  ["/refused \\(\\d+\\)/", "a regular expression"],
  ["level:>=warn", "warnings and worse"],
  ["service:cart", "records of a service"],
  ["service:(cart OR mail)", "of one of two"],
  ['endpoint:"/api/items"', "quote what has special characters"],
  ["user.id:42", "an attribute"],
  ["user.id:*", "records that have the attribute"],
  ["duration_ms:>100", "a greater number"],
  ["status_code:[500 TO 599]", "a range"],
  ["-level:debug", "all but these"],
  ["a OR (b c)", "either, or both others"],
];

const KEYS = [["/", "go to the query"], ["j, k", "next, previous"], ["o", "open"], ["Esc", "close"], ["?", "this list"]];

const Rows = ({ rows }) => html`<table class="plain"><tbody>${rows.map(([text, meaning]) => html`<tr key=${text}>
  <td><code>${text}</code></td><td>${meaning}</td></tr>`)}</tbody></table>`;

/** Examples of the search language, and the keys of the lists. */
export const CheatSheet = () => html`<${Popover} label="?" title="Examples of the search language, and keys" id="cheat-sheet" panel="wide">
  ${() => html`<h2>Search language</h2>
    <${Rows} rows=${EXAMPLES} />
    <p><a href="/docs/search.md" target="_blank">All of it</a></p>
    <h2>Keys</h2><${Rows} rows=${KEYS} />`}
</${Popover}>`;
