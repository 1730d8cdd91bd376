// What one person prefers in this browser.

import { effect, signal } from "../vendor/signals.js";

function kept(name, fallback, isValid = () => true) {
  const key = `sheaf.${name}`;
  let first = fallback;
  try {
    const found = JSON.parse(localStorage.getItem(key));
    if (found !== null && isValid(found)) first = found;
  } catch { /* storage is blocked, or holds something else */ }
  const made = signal(first);
  effect(() => {
    const text = JSON.stringify(made.value);
    try { localStorage.setItem(key, text); } catch { /* storage is blocked */ }
  });
  return made;
}

/** `light`, `dark`, or `system`. */
export const theme = kept("theme", "system");

/** `local` or `utc`. */
export const zone = kept("zone", "local");

/** Whether the lines of a list are wrapped. */
export const wrap = kept("wrap", false);

/** Whether times are shown as "5 minutes ago". */
export const ago = kept("ago", false);

/** Fields shown as columns of the list of log records. */
export const columns = kept("columns", ["service_name"], (value) => Array.isArray(value) && value.every((name) => typeof name === "string"));

/** Whether the sidebar of fields is open. */
export const sidebar = kept("sidebar", matchMedia("(min-width: 900px)").matches);

/** The last queries, newest first. */
export const queries = kept("queries", []);

const MOST_QUERIES = 50;

export function rememberQuery(text) {
  if (!text.trim()) return;
  queries.value = [text, ...queries.value.filter((each) => each !== text)].slice(0, MOST_QUERIES);
}

effect(() => {
  document.documentElement.dataset.theme = theme.value;
});
