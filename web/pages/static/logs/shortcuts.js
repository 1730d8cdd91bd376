import { useEffect, useRef } from "../vendor/hooks.js";

const isWriting = (element) => element.matches?.("input, textarea, select, [contenteditable]");

/** Keys of the log view, which the cheat sheet lists. */
export function useShortcuts({ focusQuery, move, open, close }) {
  const latest = useRef();
  latest.current = { "/": focusQuery, j: () => move(1), k: () => move(-1), o: open, Escape: close, "?": () => document.getElementById("cheat-sheet").click() };
  useEffect(() => {
    const onKeyDown = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      const act = latest.current[event.key];
      if (isWriting(event.target) || !act) return;
      event.preventDefault();
      act();
    };
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  }, []);
}
