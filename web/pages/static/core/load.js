import { useEffect, useRef, useState } from "../vendor/hooks.js";

const NOTHING = { content: null, error: null, loading: true };

/** Load something whenever `inputs` change: `read(signal)` is a promise of the content.
 *
 * It waits until it is `ready`, so that what matters more is answered first. An error removes the content
 * that was shown before, which belongs to another question.
 */
export function useLoaded(read, inputs, ready = true) {
  const [state, setState] = useState(NOTHING), asked = useRef([]);
  const isNew = inputs.some((each, place) => each !== asked.current[place]);
  useEffect(() => {
    asked.current = inputs;
    const controller = new AbortController();
    setState((before) => ({ ...before, error: null, loading: true }));
    if (!ready) return undefined;
    read(controller.signal).then(
      (content) => setState({ content, error: null, loading: false }),
      (error) => {
        if (error.name !== "AbortError" && !controller.signal.aborted) setState({ content: null, error, loading: false });
      },
    );
    return () => controller.abort();
  }, [...inputs, ready]);
  return { ...state, loading: state.loading || isNew };
}
