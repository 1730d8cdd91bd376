import { useEffect, useMemo, useRef } from "../vendor/hooks.js";
import { param, set } from "../core/address.js";
import { html } from "../core/html.js";
import { theme } from "../core/preferences.js";
import { contentOf } from "./content.js";
import { extrasFor } from "./extras.js";
import { Viewer } from "./viewer/viewer.js";

// Browsers refuse addresses that change too often, as they do while a key is held.
const ADDRESS_MS = 150;

const FEW_ROWS = 40;

const spanOf = (item) => (item?.kind === "log" ? spanOf(item.parent) : item?.kind === "span" ? item.record.id : "");

/** Collapse what is deep, so that both of two large traces are in sight. */
function shorten(page) {
  if (page.traces.length < 2 || page.items.length <= FEW_ROWS) return;
  let depth = 1;
  const rows = (deepest) => page.items.filter((item) => item.depth <= deepest).length;
  while (rows(depth + 1) <= FEW_ROWS) depth += 1;
  for (const item of page.items) if (item.depth === depth && item.children.length) page.collapsed.add(item);
  page.changed({ rows: true });
}

function useViewer(labelled) {
  const root = useRef(null), viewer = useRef(null), waiting = useRef(0);
  const content = useMemo(() => contentOf(labelled), [labelled]);
  useEffect(() => {
    const onSelect = (item) => {
      clearTimeout(waiting.current);
      waiting.current = setTimeout(() => set({ span: spanOf(item) }, { replace: true }), ADDRESS_MS);
    };
    const made = viewer.current = new Viewer(root.current, content,
      { onSelect, extras: extrasFor(labelled.map(([answer]) => answer)) });
    if (labelled.length > 1 && !made.page.aligned) document.getElementById("aligned").click();
    shorten(made.page);
    return () => {
      clearTimeout(waiting.current);
      made.end();
    };
  }, [content]);
  return [root, viewer, content];
}

/** The waterfall of traces, `[answer of the API, label]` each. `?span=` is the selected span. */
export function Waterfall({ labelled }) {
  const [root, viewer, content] = useViewer(labelled), span = param("span");
  useEffect(() => {
    const { page } = viewer.current;
    if (!span || span === spanOf(page.selected)) return;
    const item = page.items.find(({ kind, record }) => kind === "span" && record.id === span);
    if (item) viewer.current.open(item);
  }, [content, span]);
  // The overview is drawn with the colours of the theme.
  useEffect(() => viewer.current.page.changed({ overview: true }), [theme.value]);
  return html`<div class="viewer" ref=${root}></div>`;
}
