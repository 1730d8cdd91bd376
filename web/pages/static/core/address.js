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
    else if (Array.isArray(value)) {
      made.delete(name);
      for (const each of value) made.append(name, each);
    } else made.set(name, value);
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

/** The workspace of the address in the body of a request, where "" would be refused. */
export const inWorkspace = () => (param("workspace_id") ? { workspace_id: param("workspace_id") } : {});

/** The address of this view with some parameters changed. */
export const linkHere = (changes) => addressed(path.value, changed(pairs.value, changes));

function show(address) {
  const url = new URL(address, location.origin);
  batch(() => {
    path.value = url.pathname;
    pairs.value = [...url.searchParams];
  });
}

/** The place of the current entry in the history, kept in the entries to know how far "back" went. */
let place = history.state?.place ?? 0;
history.replaceState({ place }, "");

/** Open an address of the page; `replace` changes the current entry of the history instead. */
export function open(address, { replace = false } = {}) {
  const here = location.pathname + location.search;
  if (address !== here) {
    if (!replace) place += 1;
    history[replace ? "replaceState" : "pushState"]({ place }, "", address);
  }
  show(address);
}

let mayLeave = () => true;

/** Until the function that this returns is called, another view or workspace is opened only if `ask()` is true.
 *
 * It holds for links, the back button and the choice of a workspace, not for `open()` and `set()`.
 */
export function beforeLeaving(ask) {
  mayLeave = ask;
  return () => { if (mayLeave === ask) mayLeave = () => true; };
}

function stays(address) {
  const url = new URL(address, location.origin);
  return url.pathname === path.value && (url.searchParams.get("workspace_id") ?? "") === param("workspace_id");
}

/** Open an address unless what it leaves is to be kept; returns whether it is open. */
export function visit(address) {
  const may = stays(address) || mayLeave();
  if (may) open(address);
  return may;
}

/** Change parameters of this view. A value of "" removes one, a list repeats it. */
export const set = (changes, how) => open(linkHere(changes), how);

let returning = false;

addEventListener("popstate", () => {
  if (returning) {
    returning = false;
    return;
  }
  // A link to a part of the page makes an entry of its own.
  if (!history.state) history.replaceState({ place: place + 1 }, "");
  const address = location.pathname + location.search, next = history.state.place;
  if (stays(address) || mayLeave()) {
    place = next;
    show(address);
  } else if (next !== place) {
    returning = true;
    history.go(place - next);
  }
});

/** Follow links of the page without loading it anew. */
export function followLinks(isView) {
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    if (!link || link.target || link.hasAttribute("download") || event.defaultPrevented) return;
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const url = new URL(link.href);
    if (url.origin !== location.origin || url.hash || !isView(url.pathname)) return;
    event.preventDefault();
    visit(url.pathname + url.search);
  });
}
