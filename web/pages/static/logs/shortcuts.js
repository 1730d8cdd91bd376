import { useEffect } from "../vendor/hooks.js";

const isWriting = (element) => element.matches?.("input, textarea, select, [contenteditable]");

/** Keys of the log view, which the cheat sheet lists. */
export function useShortcuts({ focusQuery, move, open, close }) {
  useEffect(() => {
    const acts = { "/": focusQuery, j: () => move(1), k: () => move(-1), o: open, Escape: close, "?": () => document.getElementById("cheat-sheet").click() };
    const onKeyDown = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (isWriting(event.target) || !acts[event.key]) return;
      event.preventDefault();
      acts[event.key]();
    };
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  });
}
