import { set } from "../core/address.js";

const LINKS = ".list .root a";

function move(step) {
  const links = [...document.querySelectorAll(LINKS)], here = links.indexOf(document.activeElement);
  links[Math.min(Math.max(here + step, 0), links.length - 1)]?.focus();
}

const ACTS = {
  j: () => move(1),
  k: () => move(-1),
  o: () => { if (document.activeElement.matches(LINKS)) document.activeElement.click(); },
  "?": () => document.getElementById("cheat-sheet").click(),
  Escape: () => set({ compare: "" }),
  "/": () => document.getElementById("query").focus(),
};

/** Keys of the list: j and k move, o opens, / goes to the query. Returns what stops listening. */
export function listenToListKeys() {
  const onKeyDown = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
    const act = ACTS[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  };
  document.addEventListener("keydown", onKeyDown);
  return () => document.removeEventListener("keydown", onKeyDown);
}
