import { useEffect, useState } from "../vendor/hooks.js";

/** Load something now and then every `ms` milliseconds, while the tab is shown.
 *
 * `read(signal)` is a promise of the content. Returns `{content, error, again}`: an error removes the content, and `again()`
 * loads at once. Loading goes on after an error, except one that says that it is not allowed.
 */
export function usePolled(read, ms, inputs = []) {
  const [state, setState] = useState({ content: null, error: null }), [count, setCount] = useState(0);
  useEffect(() => setState({ content: null, error: null }), inputs);
  useEffect(() => {
    const controller = new AbortController();
    let timer = 0, running = false;
    const load = async () => {
      if (running || document.hidden || controller.signal.aborted) return;
      running = true;
      let refused = false;
      try {
        const content = await read(controller.signal);
        if (!controller.signal.aborted) setState({ content, error: null });
      } catch (error) {
        if (error.name === "AbortError" || controller.signal.aborted) return;
        refused = error.status === 403;
        setState({ content: null, error });
      }
      running = false;
      if (!refused) timer = setTimeout(load, ms);
    };
    const shown = () => {
      clearTimeout(timer);
      load();
    };
    load();
    document.addEventListener("visibilitychange", shown);
    return () => {
      clearTimeout(timer);
      controller.abort();
      document.removeEventListener("visibilitychange", shown);
    };
  }, [...inputs, count]);
  return { ...state, again: () => setCount((before) => before + 1) };
}
