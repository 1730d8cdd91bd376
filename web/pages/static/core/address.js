// What a view shows is in the page's address, so that links, reload and the back button work.

import { batch, computed, signal } from "../vendor/signals.js";

/** Parameters that every view keeps when another one is opened. */
const SHARED = ["workspace_id", "from", "to"];

export const path = signal(location.pathname);

/** The address's parameters, as pairs of texts. */
export const pairs = signal([...new URLSearchParams(location.search)]);

const params = computed(() => new URLSearchParams(pairs.value));

/** A parameter, "" if the address does not have it. */
export const param = (name) => params.value.get(name) ?? "";

function changed(from, changes) {
  const made = new URLSearchParams(from);
  for (const [name, value] of Object.entries(changes)) {
    if (value === "" || value === null || value === undefined) made.delete(name);
    else made.set(name, value);
  }
  return made;
}

function addressed(where, query) {
  const text = query.toString();
  return text ? `${where}?${text}` : where;
}

/** The address of another view, with the parameters that all views share. */
export function linkTo(where, own = {}) {
  const shared = pairs.value.filter(([name]) => SHARED.includes(name));
  return addressed(where, changed(shared, own));
}

/** The address of this view with some parameters changed. */
export const linkHere = (changes) => addressed(path.value, changed(pairs.value, changes));

function show(address) {
  const url = new URL(address, location.origin);
  batch(() => {
    path.value = url.pathname;
    pairs.value = [...url.searchParams];
  });
}

/** Open an address of the page; `replace` changes the current entry of the history instead. */
export function open(address, { replace = false } = {}) {
  const here = location.pathname + location.search;
  if (address !== here) history[replace ? "replaceState" : "pushState"](null, "", address);
  show(address);
}

/** Change parameters of this view. A value of "" removes one. */
export const set = (changes, how) => open(linkHere(changes), how);

addEventListener("popstate", () => show(location.pathname + location.search));

/** Follow links of the page without loading it anew. */
export function followLinks(isView) {
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    if (!link || link.target || link.hasAttribute("download") || event.defaultPrevented) return;
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const url = new URL(link.href);
    if (url.origin !== location.origin || url.hash || !isView(url.pathname)) return;
    event.preventDefault();
    open(url.pathname + url.search);
  });
}
